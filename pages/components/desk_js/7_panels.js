// What opens beside the work: why an item is skipped or flagged, the keys, the guidelines, what a practice item teaches.
const REASONS = {
  skip: ["I am not sure", "I know this customer or case", "Not a language that I read", "The text is broken or empty", "It upsets me"],
  flag: ["It holds private data", "The question is broken", "It is harmful or abusive", "The reference answer is wrong"],
};

// A reason chosen by digit or written; drawn in place, so that nothing covers the item.
class Panel {
  constructor(view, kind) {
    Object.assign(this, { view, kind });
    this.node = make("section", "panel");
    this.node.setAttribute("aria-label", kind === "skip" ? "Why do you skip it?" : "What should an expert look at?");
    this.node.tabIndex = -1;
    const title = make("h3", "", kind === "skip" ? "Why do you skip it? Somebody else gets it; you do not see it again."
      : "What should an expert look at? The item stays with you.");
    const points = make("div", "points");
    points.append(...REASONS[kind].map((words, place) => {
      const node = view.desk.button(words, "", () => this.send(words));
      if (view.desk.data.keys) node.prepend(make("kbd", "", String(place + 1)));
      return node;
    }));
    this.box = make("textarea");
    this.box.maxLength = 2000;
    this.box.setAttribute("aria-label", "In your own words");
    this.box.placeholder = "In your own words";
    this.box.value = view.work.comment;
    const row = make("div", "row");
    row.append(view.desk.button(kind === "skip" ? "Skip with these words" : "Send these words", "Ctrl Enter", () => this.send(this.box.value)),
      view.desk.button("Cancel", "Esc", () => view.openPanel("")));
    this.node.append(title, points, this.box, row);
  }

  send(reason) {
    if (!reason.trim()) {
      this.view.desk.say("Please choose what it is, or write it.", true);
      this.box.focus();
      return;
    }
    this.view.openPanel("");
    this.view.desk.push(this.kind, { reason: reason.slice(0, 2000) });
  }

  key(name) {
    const words = REASONS[this.kind][Number(name) - 1];
    if (words) this.send(words);
    return Boolean(words);
  }
}

function keyList(view, data) {
  const list = make("dl", "keylist");
  const add = (key, words) => { const line = make("div"); line.append(make("dt", "", key), make("dd", "", words)); list.append(line); };
  if (data.kind === "compare") VERDICTS.forEach(([, words, key]) => add(key, words));
  if (data.kind === "rank") { add("1 – 9", "This response is the next best"); add("=", "The next one shares the place"); }
  if (data.questions.length) add("1 – 9, Y, N …", "Answer the question with the bar beside it");
  add("Enter", "Go on; save when all is answered");
  add("Ctrl Enter", "Save at once, also out of a text box");
  add("⌫", "Take back the last thing chosen here");
  if (data.questions.some((one) => one.type === "spans")) add("Shift →", "Mark words in the response that has the focus");
  [["S", "Skip, with a reason"], ["F", "Flag the question for the experts"], ["U", "Undo the last saved answer"], ["C", "Write a comment"],
    ["M", "Show as written or formatted"], ["E", "Open or fold long answers"], ["Esc", "Leave a text box or a panel"], ["?", "This list"]]
    .forEach(([key, words]) => add(key, words));
  return list;
}

function guidelines(desk) {
  const { data } = desk;
  const aside = make("aside", "guide");
  aside.setAttribute("aria-label", "Guidelines");
  const text = make("div", "formatted");
  text.tabIndex = 0;
  text.setAttribute("role", "region");
  text.setAttribute("aria-label", "Guidelines of this task");
  writeFormatted(text, data.guidelines);
  aside.append(make("h2", "", "Guidelines"), text);
  return aside;
}

// After a practice item: whether it was right, what was right, and why.
function lesson(view, feedback, next) {
  const node = make("section", "lesson " + (feedback.right ? "right" : "wrong"));
  node.setAttribute("aria-label", "What was right");
  node.append(make("h3", "", (feedback.right ? "✓ " : "✗ ") + feedback.title));
  const list = make("ul");
  for (const line of feedback.lines) list.append(make("li", "", line));
  if (feedback.lines.length) node.append(list);
  if (feedback.explanation) {
    const why = make("div", "formatted");
    writeFormatted(why, feedback.explanation);
    node.append(why);
  }
  if (feedback.standing) node.append(make("p", "standing", feedback.standing));
  const button = view.desk.button("Next item", "Enter", next);
  button.className = "save";
  node.append(button);
  return node;
}
