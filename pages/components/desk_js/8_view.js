// One item on the screen and what is chosen about it so far. `work` is the draft; nothing of it is an answer until saved.
class View {
  constructor(desk, item) {
    const { data } = desk;
    Object.assign(this, { desk, item, kind: data.kind, rubric: data.rubric, history: [], since: performance.now(), panel: null });
    this.work = this.begin(item, desk.journal.drafts[item.slot]);
    this.cards = new Cards(this);
    this.marking = new Marking(this);
    this.chooser = this.kind === "compare" ? new Comparing(this) : this.kind === "rank" ? new Ranking(this) : null;
    this.fields = data.questions.map((question, row) => new Field(this, question, row));
    this.at = this.fields.findIndex((field) => !field.done);
    this.quick = (!this.chooser || this.chooser.instant) && this.fields.every((field) => QUICK.includes(field.question.type));
    this.node = this.draw();
    this.refresh();
  }

  begin(item, local) {
    const kept = item.draft || {};
    const draft = local && !(kept.at > local.at) ? local : kept;
    const before = item.correcting ? item : {};
    return { answers: { ...before.answers, ...draft.answers }, verdict: draft.verdict || before.verdict || "", at: draft.at || 0,
      ranking: draft.ranking && draft.ranking.length ? draft.ranking : before.ranking || [], comment: draft.comment || before.comment || "" };
  }

  draw() {
    const { item, desk } = this;
    const node = make("div", "work " + this.kind);
    this.read = make("div", "read");
    this.answer = make("div", "answer");
    if (item.practice) this.read.append(make("div", "note practice", "Practice: after your answer you see what was right. Practice is not counted."));
    if (item.correcting) this.read.append(make("div", "note", "You are changing your last answer. Until you do, the earlier one counts."));
    if (item.why) this.read.append(make("p", "why", "Why this one now: " + item.why));
    this.read.append(this.cards.talk, this.cards.row);
    if (item.reference) this.read.append(this.reference());
    this.slot = make("div");
    this.answer.append(...(this.chooser ? [this.chooser.node] : []), ...this.fields.map((field) => field.node), this.slot, ...this.comment(), this.others());
    this.saveButton = desk.button(item.correcting ? "Save the changed answer" : this.kind === "rank" ? "Save the ranking" : "Save", "Enter", () => this.save());
    this.saveButton.className = "save";
    if (!this.savesItself) this.slot.append(this.saveButton);
    node.append(this.read, this.answer);
    return node;
  }

  // Whether the last answer saves; else Enter does, and the button says so.
  get savesItself() { return this.quick && (!this.item.correcting || !this.fields.length); }

  reference() {
    const more = make("details");
    const text = make("div", "card text", this.item.reference);
    more.append(make("summary", "", "The reference answer"), text);
    return more;
  }

  comment() {
    const label = make("label", "", "Comment (kept while you think, saved with the answer)");
    if (this.desk.data.keys) label.append(make("kbd", "", "C"));
    this.box = make("textarea", "comment");
    label.htmlFor = this.box.id = "comment-" + this.item.slot;
    this.box.maxLength = 5000;
    this.box.placeholder = "What made you decide?";
    this.box.value = this.work.comment;
    this.box.addEventListener("input", () => { this.work.comment = this.box.value; this.changed(); });
    return [label, this.box];
  }

  others() {
    const { desk } = this;
    const row = make("div", "row others");
    if (this.item.correcting) row.append(desk.button("Keep it as it was", "", () => desk.push("keep")));
    else {
      const undo = desk.button("Undo", "U", () => desk.undo());
      undo.setAttribute("aria-label", "Undo the last answer");
      const flag = desk.button("Flag", "F", () => this.openPanel("flag"));
      flag.setAttribute("aria-label", "Flag the question");
      row.append(desk.button("Skip", "S", () => this.openPanel("skip")), undo, flag);
    }
    return row;
  }

  openPanel(kind) {
    if (this.panel) this.panel.node.remove();
    this.panel = kind && !(this.panel && this.panel.kind === kind) ? new Panel(this, kind) : null;
    if (this.panel) { this.answer.append(this.panel.node); this.panel.node.focus(); this.panel.node.scrollIntoView({ block: "nearest" }); }
    else this.desk.root.focus({ preventScroll: true });
  }

  remember() { this.history = [...this.history.slice(-49), JSON.stringify(this.work)]; }

  back() {
    if (!this.history.length) return;
    this.work = { ...JSON.parse(this.history.pop()), comment: this.work.comment };
    this.marking.pending = this.marking.caret = null;
    this.fields.forEach((field) => { field.passed = false; });
    this.at = this.fields.findIndex((field) => !field.done);
    this.changed();
  }

  set(key, value) { this.work.answers[key] = value; this.changed(); }

  changed() {
    this.work.at = Date.now();
    this.desk.draft(this);
    this.refresh();
  }

  refresh() {
    if (!this.fields || !this.node) return;
    const { pending } = this.marking;
    if (pending && this.fields.length && (this.fields[this.at] || {}).question?.type !== "spans") {
      const marker = this.fields.findIndex((field) => field.question.type === "spans");
      if (marker >= 0) this.at = marker; else this.marking.pending = null;
    }
    const chosen = this.chooser && !this.chooser.complete;
    this.fields.forEach((field, row) => field.refresh(row === this.at && !(chosen && this.kind === "rank")));
    if (this.chooser) this.chooser.refresh();
    this.cards.outline([...this.fields.flatMap((field) => field.marks), ...(this.marking.pending ? [{ ...this.marking.pending, pending: true }] : [])]);
    this.saveButton.classList.toggle("ready", !this.lacking);
  }

  ask(row) { if (row !== this.at) { this.at = row; this.refresh(); } }

  // After an answer: the next question that has none, or save.
  goOn(row) {
    const open = (field) => !field.done;
    const next = this.fields.findIndex((field, place) => place > row && open(field));
    const first = next >= 0 ? next : this.fields.findIndex(open);
    if (first < 0 && this.savesItself && !this.lacking) { this.save(); return; }
    this.at = first >= 0 ? first : row;
    this.refresh();
    const asked = this.fields[this.at];
    // To mark passages one looks at the response, not at the question.
    if (asked && asked !== this.fields[row] && asked.question.type !== "spans") asked.node.scrollIntoView({ block: "nearest" });
  }

  enter() {
    const asked = this.fields[this.at];
    if (!asked || (this.chooser && !this.chooser.complete)) { this.save(); return; }
    if (asked.box && !asked.answered) { asked.box.focus(); return; }
    if (!asked.answered && !asked.question.required) asked.passed = true;
    if (!asked.answered && asked.question.required) { this.save(); return; }
    if (this.fields.every((field) => field.done)) this.save();
    else this.goOn(this.at);
  }

  // What is still missing, in words; empty when all is there.
  get lacking() {
    if (this.chooser && !this.chooser.complete) return this.chooser.missing;
    const missing = this.fields.find((field) => field.question.required && !field.answered);
    return missing ? "Please answer: " + missing.question.text : "";
  }

  save() {
    if (this.saved) return;
    if (this.lacking) {
      const row = this.fields.findIndex((field) => field.question.required && !field.answered);
      if (row >= 0 && !(this.chooser && !this.chooser.complete)) this.ask(row);
      this.desk.say(this.lacking, true);
      return;
    }
    this.saved = true;
    const answers = Object.fromEntries(this.fields.filter((field) => field.answered).map((field) => [field.key, field.answer]));
    this.desk.push("answer", { answers, verdict: this.work.verdict, ranking: this.work.ranking, rubric: this.rubric });
  }

  startMarking(response = 0) {
    const card = this.cards.cards[response];
    card.focus();
    this.marking.begin(response);
    this.desk.say("Arrows move word by word, up and down by sentence; with Shift the passage grows. Then choose the reason; Esc leaves.");
  }

  get marks() { return this.fields.find((field) => field.question.type === "spans"); }

  key(name, event) {
    if (this.panel && this.panel.key(name)) return true;
    if (this.marking.key(name, event.shiftKey)) return true;
    const card = this.cards.cards.indexOf(this.cards.row.getRootNode().activeElement);
    if (event.shiftKey && name.startsWith("arrow")) {
      if (card < 0 || !this.marks) return false;
      this.startMarking(card);
      return true;
    }
    const asked = this.fields[this.at];
    if (this.marking.pending && (asked?.question.type === "spans" ? asked : this.marks).shortcut(name)) return true;
    if (this.chooser && this.chooser.key(name)) return true;
    if (asked && asked.shortcut(name)) return true;
    const others = /^[a-z]$/.test(name) ? this.fields.filter((field) => field.question.shortcuts.includes(name)) : [];
    if (others.length === 1) return others[0].shortcut(name);
    if (name === "backspace") { this.back(); return true; }
    return false;
  }

  teach(feedback, next) {
    this.answer.inert = false;
    this.answer.replaceChildren(lesson(this, feedback, next));
    this.answer.querySelector("button.save").focus();
  }
}
