// One rater's desk for one task. `log` holds answers that the server has not acknowledged; it survives a reload.
const VERDICTS = [
  ["left", "Left is better", "←", ["arrowleft"]],
  ["tie", "Equally good", "T", ["t"]],
  ["both_bad", "Both bad", "B", ["b"]],
  ["right", "Right is better", "→", ["arrowright"]],
];
const RETRY = 4000;
const desks = new WeakMap();

export default function (component) {
  let desk = desks.get(component.parentElement);
  if (!desk || desk.storage !== storageKey(component.data)) {
    if (desk) desk.leave();
    desk = new Desk(component);
    desks.set(component.parentElement, desk);
  }
  desk.update(component);
}

function storageKey(data) { return "touchstone-desk-" + data.who + "-" + data.task; }

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

class Desk {
  constructor({ data, parentElement }) {
    this.storage = storageKey(data);
    this.place = parentElement;
    this.log = [];
    this.drafts = {};
    try {
      const kept = JSON.parse(localStorage.getItem(this.storage) || "{}");
      this.log = Array.isArray(kept.log) ? kept.log : [];
      this.drafts = kept.drafts || {};
    } catch (_) { /* storage is closed or broken: begin with an empty log */ }
    this.root = make("section", "desk");
    this.root.setAttribute("aria-label", "Rating desk");
    this.numbers = make("div", "numbers");
    this.body = make("div");
    this.said = make("div", "said");
    this.said.setAttribute("role", "status");
    this.root.append(this.numbers, this.body, this.said);
    this.place.append(this.root);
    this.onkey = (event) => this.key(event);
    document.addEventListener("keydown", this.onkey);
  }

  leave() { document.removeEventListener("keydown", this.onkey); clearTimeout(this.timer); this.root.remove(); }

  update({ data, setStateValue }) {
    this.data = data;
    this.set = setStateValue;
    let message = "";
    this.log = this.log.filter((entry) => {
      if (!(entry.id in data.acknowledged)) return true;
      if (entry.kind !== "flag" && entry.kind !== "undo") delete this.drafts[entry.slot];
      message = data.acknowledged[entry.id] || message;
      return false;
    });
    if (data.problem && this.log.length) this.say(data.problem + " Your answers are kept in this browser.", true);
    else if (message) this.say(message, !message.startsWith("Your comment"));
    this.keep();
    if (!data.ready && !this.greeted) { this.greeted = true; this.send(); }
    if (!this.log.length && data.ready) clearTimeout(this.timer);
    this.draw();
  }

  keep() {
    try { localStorage.setItem(this.storage, JSON.stringify({ log: this.log, drafts: this.drafts })); }
    catch (_) { /* without storage the log lives as long as the page */ }
  }

  send() {
    this.set("log", { sent: Date.now(), entries: this.log });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (this.root.isConnected) this.send(); }, RETRY);
  }

  push(kind, extra) {
    const item = this.item || {};
    const unique = kind === "undo" || kind === "flag" ? ":" + Date.now() : "";
    this.log.push({ id: item.slot + ":" + item.fence + ":" + kind + unique, kind, slot: item.slot || 0,
      fence: item.fence || 0, comment: (this.drafts[item.slot] || "").slice(0, 5000),
      seconds: (performance.now() - (this.since || performance.now())) / 1000, ...extra });
    this.say("");
    this.keep();
    this.send();
    this.draw();
  }

  current() {
    const gone = new Set(this.log.filter((e) => e.kind !== "flag" && e.kind !== "undo").map((e) => e.slot + ":" + e.fence));
    return this.data.items.find((item) => !gone.has(item.slot + ":" + item.fence));
  }

  get undoing() { return this.log.some((entry) => entry.kind === "undo"); }

  say(text, bad) { this.said.textContent = text; this.said.className = bad ? "said bad" : "said"; }

  draw() {
    const { data } = this;
    const given = this.log.filter((entry) => entry.kind === "answer").length;
    const left = data.waiting_text.endsWith("+") ? data.waiting_text : String(Math.max(0, data.waiting - given));
    this.numbers.replaceChildren(
      make("span", "", left + " waiting for you"), make("span", "", data.done + given + " done by you here"),
      make("span", "", data.today + given + " today"),
      make("span", "", this.log.length ? "Saving " + this.log.length + "…" : "All saved"));
    const item = this.current();
    const drawn = item ? item.slot + ":" + item.fence : data.ready ? "none" + this.log.length : "loading";
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.item = item;
    this.since = performance.now();
    this.chosen = item && item.correcting ? { ...item.answers } : {};
    if (item && item.correcting && item.comment && !(item.slot in this.drafts)) this.drafts[item.slot] = item.comment;
    this.body.replaceChildren(...(item ? this.parts(item) : this.nothing()));
  }

  nothing() {
    const text = !this.data.ready ? "Getting your items…" : this.log.length ? "Saving your last answers…"
      : "Nothing is left for you in this task. Thank you! Items that somebody skips may come back; look in again later.";
    return [make("p", "", text), ...(this.data.ready ? [this.others(true)] : [])];
  }

  parts(item) {
    const parts = [];
    if (item.correcting) parts.push(make("div", "note", "You are changing your last answer. Until you do, the earlier one counts."));
    const talk = make("ol", "talk");
    talk.setAttribute("aria-label", "Conversation");
    for (const turn of item.turns) {
      const line = make("li", "turn " + turn.side);
      line.append(make("div", "who", turn.label), make("div", "bubble", turn.parts.map(([text]) => text).join("")));
      talk.append(line);
    }
    const cards = make("div", "cards");
    const titles = item.texts.length === 1 ? ["Response"] : ["Left", "Right"];
    item.texts.forEach((text, place) => {
      const card = make("div", "card");
      card.tabIndex = 0;
      card.append(make("h3", "", titles[place]), make("div", "", text.trim() ? text : "(an empty answer)"));
      cards.append(card);
    });
    parts.push(talk, cards);
    if (item.reference) {
      const more = make("details");
      more.append(make("summary", "", "The reference answer"), make("div", "card", item.reference));
      parts.push(more);
    }
    if (this.data.kind === "compare") parts.push(this.verdicts(item));
    else parts.push(...this.questions(item));
    parts.push(...this.comment(item), this.others(false));
    return parts;
  }

  button(text, key, act, pressed) {
    const node = make("button", "", text);
    node.type = "button";
    if (key && this.data.keys) node.append(make("kbd", "", key));
    if (pressed !== undefined) node.setAttribute("aria-pressed", String(pressed));
    node.addEventListener("click", () => { node.blur(); act(); });
    return node;
  }

  verdicts(item) {
    const row = make("div", "row");
    for (const [verdict, text, key] of VERDICTS) {
      const pressed = item.correcting ? item.verdict === verdict : undefined;
      row.append(this.button(text, key, () => this.push("answer", { verdict }), pressed));
    }
    return row;
  }

  questions(item) {
    this.fields = this.data.questions.map((question) => {
      const field = make("fieldset");
      const points = make("div", "points");
      question.scale.forEach((words, place) => points.append(
        this.button(place + 1 + " · " + words, "", () => this.point(question.key, place + 1), false)));
      field.append(make("legend", "", question.text), points);
      return field;
    });
    this.mark();
    const save = this.button("Save the changed rating", "", () => this.push("answer", { answers: this.chosen }));
    return item.correcting ? [...this.fields, save] : this.fields;
  }

  mark() {
    const asked = this.data.questions.find((question) => !(question.key in this.chosen));
    this.data.questions.forEach((question, row) => {
      this.fields[row].className = question === asked ? "asked" : "";
      [...this.fields[row].querySelectorAll("button")].forEach((node, place) =>
        node.setAttribute("aria-pressed", String(this.chosen[question.key] === place + 1)));
    });
  }

  point(key, value) {
    this.chosen[key] = value;
    if (!this.item.correcting && this.data.questions.every((question) => question.key in this.chosen)) {
      this.push("answer", { answers: this.chosen });
    } else this.mark();
  }

  digit(value) {
    const { questions } = this.data;
    if (this.item.correcting && questions.every((question) => question.key in this.chosen)) this.chosen = {};
    const asked = questions.find((question) => !(question.key in this.chosen));
    if (!asked || value > asked.scale.length) return;
    this.point(asked.key, value);
    if (this.item && this.item.correcting && questions.every((question) => question.key in this.chosen)) {
      this.push("answer", { answers: this.chosen });
    }
  }

  comment(item) {
    const label = make("label", "", "Comment (kept while you think, saved with the answer)");
    const box = make("textarea");
    box.id = "comment-" + item.slot;
    label.htmlFor = box.id;
    box.maxLength = 5000;
    box.placeholder = "What made you decide? Also the reason when you skip or flag.";
    box.value = this.drafts[item.slot] || "";
    box.addEventListener("input", () => { this.drafts[item.slot] = box.value; this.keep(); });
    return [label, box];
  }

  others(empty) {
    const row = make("div", "row");
    if (!empty && this.item.correcting) {
      row.append(this.button("Keep it as it was", "", () => this.push("keep")));
      return row;
    }
    if (!empty) row.append(this.button("Skip", "S", () => this.push("skip")));
    row.append(this.button("Undo the last answer", "U", () => this.undo()));
    if (!empty) row.append(this.button("Flag the question", "", () => this.flag()));
    return row;
  }

  undo() { if (!this.undoing && !(this.item && this.item.correcting)) { this.push("undo"); this.say("Taking your last answer back…"); } }

  flag() {
    if ((this.drafts[this.item.slot] || "").trim()) this.push("flag");
    else this.say("Please write in the comment what is wrong, then flag.", true);
  }

  key(event) {
    if (!this.root.isConnected) { this.leave(); return; }
    if (!this.data.keys || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const at = event.composedPath()[0];
    if (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName || "")) return;
    if (at.closest && at.closest("[role=tab],[role=option],[role=menuitem],[role=dialog],[role=slider]")) return;
    const key = event.key.toLowerCase();
    if (key === "u") { event.preventDefault(); this.undo(); return; }
    if (!this.item || this.undoing) return;
    const pad = /^Numpad([1-9])$/.exec(event.code);
    const value = pad ? Number(pad[1]) : Number(key);
    const verdict = VERDICTS.find(([, , , names]) => names.includes(key));
    if (key === "s" && !this.item.correcting) this.push("skip");
    else if (this.data.kind === "compare" && verdict) this.push("answer", { verdict: verdict[0] });
    else if (this.data.kind === "rate" && value >= 1 && value <= 9) this.digit(value);
    else return;
    event.preventDefault();
  }
}
