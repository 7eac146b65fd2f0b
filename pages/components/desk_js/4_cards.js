// What is judged: the conversation as bubbles, the responses as cards; long ones folded; passages marked in them.
const LONG = 1400;
const TALL = 18;

const isLong = (text) => text.length > LONG || text.split("\n").length > TALL;
const excerpt = (text, most = 60) => (text.length > most ? text.slice(0, most - 1).trimEnd() + "…" : text);

// A text that folds and can be shown as written or formatted.
class Passage {
  constructor(text, box, view) {
    Object.assign(this, { text, box, view, marks: [] });
    this.more = make("button", "more");
    this.more.type = "button";
    this.more.hidden = !isLong(text);
    this.more.onclick = (event) => { this.fold(!this.box.classList.contains("folded")); view.desk.release(event); };
    this.fold(isLong(text));
    this.write();
  }

  write() {
    this.box.replaceChildren();
    const formatted = this.view.desk.formatted;
    this.box.classList.toggle("formatted", formatted);
    if (!this.text.trim()) { this.box.append(make("em", "", "(an empty answer)")); this.writer = new Writer(""); return; }
    this.writer = (formatted ? writeFormatted : writeRaw)(this.box, this.text, this.marks);
  }

  fold(folded) {
    this.box.classList.toggle("folded", folded && isLong(this.text));
    const open = !this.box.classList.contains("folded");
    this.more.textContent = open ? "Show less" : "Show all (" + this.text.length.toLocaleString() + " characters)";
    this.more.setAttribute("aria-expanded", String(open));
    if (this.view.desk.data.keys) this.more.append(make("kbd", "", "E"));
  }
}

class Cards {
  constructor(view) {
    this.view = view;
    const { item } = view;
    this.bubbles = [];
    this.responses = [];
    this.talk = make("ol", "talk");
    this.talk.setAttribute("aria-label", "Conversation");
    for (const turn of item.turns) this.talk.append(this.turn(turn));
    this.row = make("div", "cards n" + item.texts.length);
    this.cards = item.texts.map((text, place) => this.card(text, place));
    this.row.append(...this.cards);
  }

  get titles() {
    if (this.view.kind === "compare") return ["Left", "Right"];
    return this.view.kind === "rank" ? this.view.item.texts.map((_, place) => "Response " + (place + 1)) : ["Response"];
  }

  turn(turn) {
    const line = make("li", "turn " + turn.side);
    const bubble = make("div", "bubble");
    const passage = new Passage(turn.parts.map(([text]) => text).join(""), bubble, this.view);
    this.bubbles.push(passage);
    line.append(make("div", "who", turn.label), bubble, passage.more);
    return line;
  }

  card(text, place) {
    const card = make("article", "card");
    card.tabIndex = 0;
    card.setAttribute("aria-label", this.titles[place]);
    const head = make("header");
    head.append(make("h3", "", this.titles[place]));
    const box = make("div", "text");
    box.dir = "auto";
    const passage = new Passage(text, box, this.view);
    this.responses.push(passage);
    card.append(head, box, passage.more);
    return card;
  }

  get all() { return [...this.bubbles, ...this.responses]; }

  rewrite() { this.all.forEach((passage) => passage.write()); }

  // E: all long texts open, or all closed again.
  unfold() {
    const long = this.all.filter((passage) => isLong(passage.text));
    const open = long.some((passage) => passage.box.classList.contains("folded"));
    long.forEach((passage) => passage.fold(!open));
    return long.length > 0;
  }

  // Outline these marks ({response, start, end} in UTF-16 units); only what changed is written again.
  outline(marks) {
    this.responses.forEach((passage, place) => {
      const mine = marks.filter((mark) => mark.response === place);
      if (JSON.stringify(mine) === JSON.stringify(passage.marks)) return;
      passage.marks = mine;
      passage.write();
      if (mine.some((mark) => mark.pending)) passage.fold(false);
    });
  }
}

// Passages chosen with the mouse, or with Shift and the arrows word by word.
class Marking {
  constructor(view) {
    this.view = view;
    this.pending = null;
    this.caret = null;
    view.cards.cards.forEach((card, place) => {
      let soon;
      card.addEventListener("pointerdown", () => clearTimeout(soon)); // of a double click only the second press counts
      card.addEventListener("pointerup", () => { clearTimeout(soon); soon = setTimeout(() => this.picked(place), 0); });
    });
  }

  picked(place) {
    const passage = this.view.cards.responses[place];
    const range = selectedRange(passage.box);
    const found = range && passage.writer.under(range);
    this.caret = null;
    if (found && passage.text.slice(found.start, found.end).trim()) this.choose({ response: place, ...this.tight(passage.text, found) });
    else if (this.pending) this.choose(null);
  }

  // Without the blanks around it, and with the words that it begins and ends in.
  tight(text, { start, end }) {
    while (start < end && /\s/.test(text[start])) start++;
    while (end > start && /\s/.test(text[end - 1])) end--;
    const inWord = (at) => /[\p{L}\p{N}]{2}/u.test(text.slice(at - 1, at + 1));
    while (start > 0 && inWord(start)) start--;
    while (end < text.length && inWord(end)) end++;
    return { start, end };
  }

  choose(pending) { this.pending = pending; this.view.refresh(); }

  get words() {
    const { text } = this.view.cards.responses[this.caret.response];
    return [...text.matchAll(/\S+/g)].map((found) => ({ start: found.index, end: found.index + found[0].length, text: found[0] }));
  }

  begin(response) {
    this.caret = { response, anchor: 0, at: 0 };
    if (!this.words.length) { this.caret = null; return; }
    this.follow();
  }

  follow() {
    const { response, anchor, at } = this.caret;
    const words = this.words;
    const [first, last] = [words[Math.min(anchor, at)], words[Math.max(anchor, at)]];
    this.choose({ response, start: first.start, end: last.end });
    const { text } = this.view.cards.responses[response];
    this.view.desk.whisper("Marked: " + excerpt(text.slice(first.start, last.end), 120));
  }

  key(name, shift) {
    if (!this.caret) return false;
    const words = this.words;
    const last = words.length - 1;
    const sentence = (step) => {
      let at = this.caret.at + step;
      while (at > 0 && at < last && !/[.!?:]$/.test(words[at - 1].text)) at += step;
      return at;
    };
    const moves = { arrowright: () => this.caret.at + 1, arrowleft: () => this.caret.at - 1, arrowdown: () => sentence(1),
      arrowup: () => sentence(-1), home: () => 0, end: () => last };
    if (name === "escape") { this.caret = null; this.choose(null); return true; }
    if (!(name in moves)) return false;
    this.caret.at = Math.max(0, Math.min(last, moves[name]()));
    if (!shift) this.caret.anchor = this.caret.at;
    this.follow();
    return true;
  }
}
