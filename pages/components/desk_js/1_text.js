// Untrusted text becomes text nodes and elements without attributes from it: nothing is fetched, run or linked.
const FORMATS_UP_TO = 60000;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// JavaScript counts UTF-16 units, the server counts characters (code points).
const toPoints = (text, unit) => Array.from(text.slice(0, unit)).length;
const toUnits = (text, point) => Array.from(text).slice(0, point).join("").length;

// Writes pieces of one source text, knows from where each piece came, and outlines what is marked.
class Writer {
  constructor(source, marks = []) { this.source = source; this.marks = marks; this.pieces = []; }

  text(parent, from, to) {
    const cuts = [from, to, ...this.marks.flatMap((mark) => [mark.start, mark.end]).filter((at) => at > from && at < to)];
    cuts.sort((a, b) => a - b);
    for (let n = 0; n + 1 < cuts.length; n++) {
      const [start, end] = [cuts[n], cuts[n + 1]];
      if (start === end) continue;
      const node = document.createTextNode(this.source.slice(start, end));
      this.pieces.push({ node, start });
      const over = this.marks.filter((mark) => mark.start <= start && mark.end >= end);
      if (!over.length) { parent.append(node); continue; }
      const outlined = make("mark", over.some((mark) => mark.pending) ? "pending" : "");
      outlined.append(node);
      const ended = over.filter((mark) => mark.end === end && mark.reason).map((mark) => mark.reason);
      if (ended.length) outlined.append(make("small", "", ended.join(", ")));
      parent.append(outlined);
    }
  }

  // The part of the source under a range of the page, or null.
  under(range) {
    let found = null;
    for (const { node, start } of this.pieces) {
      if (!range.intersectsNode(node)) continue;
      const from = node === range.startContainer ? range.startOffset : 0;
      const to = node === range.endContainer ? range.endOffset : node.length;
      if (to > from) found = { start: found ? found.start : start + from, end: start + to };
    }
    return found;
  }
}

function writeRaw(parent, source, marks) {
  const writer = new Writer(source, marks);
  writer.text(parent, 0, source.length);
  return writer;
}

function writeFormatted(parent, source, marks) {
  if (source.length > FORMATS_UP_TO) return writeRaw(parent, source, marks);
  const writer = new Writer(source, marks);
  const lines = [];
  let start = 0;
  for (const line of source.split("\n")) {
    lines.push({ from: start, to: start + line.replace(/\r$/, "").length });
    start += line.length + 1;
  }
  new Markdown(writer).blocks(parent, lines, 0);
  return writer;
}

function selectedRange(root) {
  const home = root.getRootNode();
  const selection = home.getSelection ? home.getSelection() : document.getSelection();
  if (!selection) return null;
  if (!home.getSelection && selection.getComposedRanges) {
    const [held] = selection.getComposedRanges({ shadowRoots: [home] });
    if (!held || held.collapsed) return null;
    const range = document.createRange();
    range.setStart(held.startContainer, held.startOffset);
    range.setEnd(held.endContainer, held.endOffset);
    return range;
  }
  return selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0) : null;
}
