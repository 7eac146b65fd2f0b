// The rubric's questions. Each field draws one and knows its keys; the view knows which one is asked.
const QUICK = ["scale", "yes_no", "single"];

class Field {
  constructor(view, question, row) {
    Object.assign(this, { view, question, row, passed: false });
    this.node = make("fieldset");
    const legend = make("legend", "", question.text);
    if (!question.required) legend.append(make("small", "", "optional"));
    this.node.append(legend, ...this[{ text: "textual", spans: "passages" }[question.type] || "choices"]());
    // Not with the mouse: what opens under a press would move away from it.
    this.node.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) view.ask(row); });
    legend.addEventListener("click", () => view.ask(row));
  }

  get key() { return this.question.key; }
  get answer() { return this.view.work.answers[this.key]; }

  get answered() {
    const { answer } = this;
    return !(answer === undefined || answer === null || (typeof answer === "string" && !answer.trim()) || (Array.isArray(answer) && !answer.length));
  }

  get done() { return this.answered || this.passed; }

  // The stored answer behind the nth button.
  value(place) {
    const { type, choices } = this.question;
    return type === "scale" ? place + 1 : type === "yes_no" ? place === 0 : choices[place];
  }

  isChosen(place) {
    const value = this.value(place);
    return Array.isArray(this.answer) ? this.answer.includes(value) : this.answer === value;
  }

  choices() {
    const box = make("div", "points");
    this.buttons = this.question.choices.map((words, place) => {
      const node = this.view.desk.button("", "", () => this.press(place), false);
      node.append(make("span", "words", words));
      const shortcut = this.question.shortcuts[place];
      const shown = this.view.desk.data.keys && shortcut ? shortcut : this.question.type === "scale" ? String(place + 1) : "";
      if (shown) { node.prepend(make("kbd", /\d/.test(shown) ? "" : "letter", shown.toUpperCase())); node.title = words; }
      if (shortcut && this.view.desk.data.keys) node.setAttribute("aria-keyshortcuts", shortcut);
      return node;
    });
    box.append(...this.buttons);
    box.style.setProperty("--across", String(Math.min(5, this.buttons.length)));
    return this.question.type === "multiple" ? [box, this.hint("As many as fit.")] : [box];
  }

  hint(text) {
    const node = make("p", "hint", text);
    this.view.desk.withKey(node, "Enter", "goes on");
    return node;
  }

  press(place) {
    this.view.remember();
    const value = this.value(place);
    if (this.question.type === "multiple") {
      const chosen = Array.isArray(this.answer) ? this.answer : [];
      this.view.set(this.key, this.question.choices.filter((one) => (one === value) !== chosen.includes(one)));
      this.view.ask(this.row);
      return;
    }
    this.view.set(this.key, value);
    this.view.goOn(this.row);
  }

  textual() {
    this.box = make("textarea");
    this.box.maxLength = 5000;
    this.box.setAttribute("aria-label", this.question.text);
    this.box.addEventListener("input", () => this.view.set(this.key, this.box.value));
    const hint = make("p", "hint");
    this.view.desk.withKey(hint, "Enter", "starts writing,");
    this.view.desk.withKey(hint, "Ctrl Enter", "saves");
    return this.view.desk.data.keys ? [this.box, hint] : [this.box];
  }

  passages() {
    const how = make("p", "hint", "Mark a passage of the response with the mouse, then choose what is wrong with it. ");
    this.found = make("ul", "marks");
    const begin = this.view.desk.button("Mark with the keyboard", "", () => this.view.startMarking());
    begin.className = "quiet";
    how.append(begin);
    this.picked = make("p", "picked");
    return [how, this.picked, ...this.reasons(), this.found];
  }

  reasons() {
    const box = make("div", "points");
    this.buttons = this.question.choices.map((words, place) => {
      const node = this.view.desk.button(words, "", () => this.reason(place));
      if (this.view.desk.data.keys && this.question.shortcuts[place]) node.prepend(make("kbd", "", this.question.shortcuts[place]));
      return node;
    });
    box.append(...this.buttons);
    box.style.setProperty("--across", String(Math.min(5, this.buttons.length)));
    return [box];
  }

  reason(place) {
    const { pending } = this.view.marking;
    if (!pending) { this.view.desk.say("Mark a passage of the response first, then choose what is wrong with it.", true); return; }
    const { text } = this.view.cards.responses[pending.response];
    const span = { response: pending.response, start: toPoints(text, pending.start), end: toPoints(text, pending.end),
      reason: this.question.choices[place] };
    this.view.remember();
    this.view.marking.pending = this.view.marking.caret = null;
    this.view.set(this.key, [...(this.answer || []), span]);
    this.view.desk.whisper("Marked as " + span.reason);
  }

  // The marks in UTF-16 units, as the cards draw them.
  get marks() {
    if (this.question.type !== "spans") return [];
    return (this.answer || []).flatMap((span) => {
      const passage = this.view.cards.responses[span.response];
      return passage ? [{ response: span.response, reason: span.reason, start: toUnits(passage.text, span.start),
        end: toUnits(passage.text, span.end) }] : [];
    });
  }

  shortcut(name) {
    const place = this.question.shortcuts.indexOf(name);
    if (place < 0 || !this.buttons) return false;
    if (this.question.type === "spans") this.reason(place);
    else this.press(place);
    return true;
  }

  refresh(asked) {
    this.node.className = asked ? "asked" : this.answered ? "answered" : "";
    if (this.box && this.box.value !== (this.answer || "")) this.box.value = this.answer || "";
    if (this.question.type !== "spans") (this.buttons || []).forEach((node, place) => node.setAttribute("aria-pressed", String(this.isChosen(place))));
    else this.listMarks();
  }

  listMarks() {
    const { pending } = this.view.marking;
    const words = pending && this.view.cards.responses[pending.response].text.slice(pending.start, pending.end);
    this.picked.textContent = pending ? "“" + excerpt(words, 160) + "”: what is it?" : "";
    this.found.replaceChildren(...this.marks.map((mark, place) => {
      const line = make("li");
      const text = excerpt(this.view.cards.responses[mark.response].text.slice(mark.start, mark.end));
      const remove = this.view.desk.button("Remove", "", () => {
        this.view.remember();
        this.view.set(this.key, this.answer.filter((_, other) => other !== place));
      });
      remove.className = "quiet";
      remove.setAttribute("aria-label", "Remove the mark on " + text);
      line.append(make("strong", "", mark.reason + ": "), "“" + text + "” ", remove);
      return line;
    }));
  }
}
