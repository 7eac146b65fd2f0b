// The safe part of Markdown: headings, lists, quotes, code, tables, bold, italics, struck out. A link is its words and
// its address as text; so is a picture. Every text node is a verbatim piece of the source, so that passages of the
// formatted text can be marked too.
const FENCE = /^\s{0,3}(`{3,}|~{3,})/;
const HEADING = /^\s{0,3}(#{1,6})\s+/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s{0,3}> ?/;
const ENTRY = /^(\s*)([-*+]|\d{1,9}[.)])\s+/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const LINK = /(!?)\[([^[\]\n]{0,500})\]\(([^()\s]{0,2000})\)/y;
const DEEPEST = 8;

class Markdown {
  constructor(writer) { this.writer = writer; this.source = writer.source; }

  of(line) { return this.source.slice(line.from, line.to); }

  blocks(parent, lines, depth) {
    let n = 0;
    while (n < lines.length) {
      const text = this.of(lines[n]);
      if (!text.trim()) { n++; continue; }
      if (depth < DEEPEST && FENCE.test(text)) n = this.code(parent, lines, n);
      else if (HEADING.test(text)) {
        const [all, level] = HEADING.exec(text);
        const node = make("h4", "md-" + level.length);
        this.inline(node, lines[n].from + all.length, lines[n].to, 0);
        parent.append(node);
        n++;
      } else if (RULE.test(text)) { parent.append(make("hr")); n++; }
      else if (depth < DEEPEST && QUOTE.test(text)) n = this.quote(parent, lines, n, depth);
      else if (depth < DEEPEST && ENTRY.test(text)) n = this.list(parent, lines, n, depth);
      else if (text.includes("|") && n + 1 < lines.length && DIVIDER.test(this.of(lines[n + 1])) && this.of(lines[n + 1]).includes("|")) {
        n = this.table(parent, lines, n);
      } else n = this.paragraph(parent, lines, n, depth);
    }
  }

  paragraph(parent, lines, begin, depth) {
    const node = make("p");
    let n = begin;
    for (; n < lines.length; n++) {
      const text = this.of(lines[n]);
      if (!text.trim()) break;
      const block = FENCE.test(text) || HEADING.test(text) || QUOTE.test(text) || ENTRY.test(text) || RULE.test(text);
      if (n > begin && depth < DEEPEST && block) break;
      if (n > begin) node.append(make("br"));
      this.inline(node, lines[n].from + (text.length - text.trimStart().length), lines[n].to, 0);
    }
    parent.append(node);
    return n;
  }

  code(parent, lines, begin) {
    const [, fence] = FENCE.exec(this.of(lines[begin]));
    const node = make("pre");
    let n = begin + 1;
    for (; n < lines.length && !this.of(lines[n]).trim().startsWith(fence); n++) {
      if (n > begin + 1) node.append("\n");
      this.writer.text(node, lines[n].from, lines[n].to);
    }
    parent.append(node);
    return n + 1;
  }

  quote(parent, lines, begin, depth) {
    const inner = [];
    let n = begin;
    for (; n < lines.length && QUOTE.test(this.of(lines[n])); n++) {
      inner.push({ from: lines[n].from + QUOTE.exec(this.of(lines[n]))[0].length, to: lines[n].to });
    }
    const node = make("blockquote");
    this.blocks(node, inner, depth + 1);
    parent.append(node);
    return n;
  }

  list(parent, lines, begin, depth) {
    const [, indent, first] = ENTRY.exec(this.of(lines[begin]));
    const ordered = /\d/.test(first);
    const node = make(ordered ? "ol" : "ul");
    if (ordered) node.start = Number.parseInt(first, 10);
    let n = begin;
    while (n < lines.length) {
      const found = ENTRY.exec(this.of(lines[n]));
      if (!found || found[1].length !== indent.length || /\d/.test(found[2]) !== ordered) break;
      const inner = [{ from: lines[n].from + found[0].length, to: lines[n].to }];
      for (n++; n < lines.length; n++) {
        const text = this.of(lines[n]);
        const deeper = text.length - text.trimStart().length;
        if (text.trim() ? deeper <= indent.length : !this.goesOn(lines, n, indent.length)) break;
        inner.push({ from: lines[n].from + Math.min(deeper, found[0].length), to: lines[n].to });
      }
      const entry = make("li");
      this.blocks(entry, inner, depth + 1);
      node.append(entry);
      while (n < lines.length && !this.of(lines[n]).trim()) n++;
    }
    parent.append(node);
    return n;
  }

  // Whether the line after an empty one still belongs to the entry.
  goesOn(lines, n, indent) {
    const next = n + 1 < lines.length ? this.of(lines[n + 1]) : "";
    return next.trim() !== "" && next.length - next.trimStart().length > indent;
  }

  table(parent, lines, begin) {
    const node = make("table");
    let n = begin;
    for (; n < lines.length && this.of(lines[n]).includes("|"); n++) {
      if (n === begin + 1) continue;
      const row = make("tr");
      for (const cell of this.cells(lines[n])) {
        const box = make(n === begin ? "th" : "td");
        this.inline(box, cell.from, cell.to, 0);
        row.append(box);
      }
      node.append(row);
    }
    const frame = make("div", "wide");
    frame.append(node);
    parent.append(frame);
    return n;
  }

  cells(line) {
    const found = [];
    let { from, to } = line;
    while (from < to && /\s/.test(this.source[from])) from++;
    if (this.source[from] === "|") from++;
    while (to > from && /\s/.test(this.source[to - 1])) to--;
    if (this.source[to - 1] === "|") to--;
    for (let start = from, n = from; n <= to; n++) {
      if (n < to && (this.source[n] !== "|" || this.source[n - 1] === "\\")) continue;
      found.push({ from: start, to: n });
      start = n + 1;
    }
    return found.map((cell) => {
      const text = this.of(cell);
      return { from: cell.from + (text.length - text.trimStart().length), to: cell.to - (text.length - text.trimEnd().length) };
    });
  }

  inline(parent, begin, end, depth) {
    const { source } = this;
    const dead = new Set();
    let from = begin;
    let n = begin;
    const flush = (to) => { if (to > from) this.writer.text(parent, from, to); };
    const wrap = (tag, mark, close) => {
      flush(n);
      const node = make(tag);
      if (tag === "code") this.writer.text(node, n + mark.length, close);
      else this.inline(node, n + mark.length, close, depth + 1);
      parent.append(node);
      n = from = close + mark.length;
    };
    while (n < end) {
      const sign = source[n];
      if (sign === "\\" && n + 1 < end && /[\\`*_{}[\]()#+\-.!~|>]/.test(source[n + 1])) {
        flush(n);
        from = n + 1;
        n += 2;
        continue;
      }
      if (depth < DEEPEST && "`*_~".includes(sign)) {
        const [tag, mark, close] = this.closing(n, end, dead);
        if (tag) { wrap(tag, mark, close); continue; }
        n += Math.max(1, mark.length);
        continue;
      }
      if (sign === "[" || (sign === "!" && source[n + 1] === "[")) {
        LINK.lastIndex = n;
        const found = LINK.exec(source);
        if (found && n + found[0].length <= end) { flush(n); this.link(parent, n, found, depth); n = from = n + found[0].length; continue; }
      }
      n++;
    }
    flush(end);
  }

  // [tag, mark, where it closes] for what opens at n; no tag where nothing opens.
  closing(n, end, dead) {
    const { source } = this;
    const [mark] = /^(`+|\*{1,2}|_{1,2}|~{1,2})/.exec(source.slice(n, n + 40));
    const tag = { "`": "code", "*": mark.length === 2 ? "strong" : "em", _: mark.length === 2 ? "strong" : "em", "~": "s" }[mark[0]];
    const word = mark[0] === "_" && n > 0 && /\w/.test(source[n - 1]);
    if (dead.has(mark) || word || mark === "~" || /\s/.test(source[n + mark.length] || " ")) return ["", mark, 0];
    for (let at = n + mark.length; ; at += mark.length) {
      at = source.indexOf(mark, at);
      if (at < 0 || at + mark.length > end) { dead.add(mark); return ["", mark, 0]; }
      const doubled = mark.length === 1 && mark !== "`" && (source[at + 1] === mark || source[at - 1] === mark);
      const inWord = mark[0] === "_" && /\w/.test(source[at + mark.length] || " ");
      if (at > n + mark.length && (mark[0] === "`" || !/\s/.test(source[at - 1])) && !doubled && !inWord) return [tag, mark, at];
    }
  }

  link(parent, n, [, picture, label, url], depth) {
    const words = n + picture.length + 1;
    if (picture) parent.append("Picture: ");
    if (label) this.inline(parent, words, words + label.length, depth + 1);
    if (!url) return;
    parent.append(label ? " (" : "(");
    const address = words + label.length + 2;
    this.writer.text(parent, address, address + url.length);
    parent.append(")");
  }
}
