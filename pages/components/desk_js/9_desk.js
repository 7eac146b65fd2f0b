// One rater's desk for one task: draws the next item at once and hands the log to the server until it is acknowledged.
const RETRY = 4000;
const DRAFT_AFTER = 2500;
const desks = new WeakMap();

function run(component) {
  let desk = desks.get(component.parentElement);
  if (!desk || desk.storage !== storageKey(component.data)) {
    if (desk) desk.leave();
    for (const old of component.parentElement.querySelectorAll(".desk")) old.remove(); // drawn by an older version of this code
    desk = new Desk(component);
    desks.set(component.parentElement, desk);
  }
  desk.update(component);
}

// This code comes once with the page; what the server sends after each answer only calls it (see fast_desk.py).
export default function ({ data }) {
  if (!window.touchstoneDesk || window.touchstoneDesk.version !== data.version) {
    window.touchstoneDesk = { run, version: data.version };
    Desk.style = data.style;
  }
  window.dispatchEvent(new Event("touchstone-desk"));
}

function storageKey(data) { return "touchstone-desk-" + data.who + "-" + data.task; }

const connected = () => document.querySelector('[data-test-connection-state="CONNECTED"]') !== null;

class Desk {
  constructor({ data, parentElement }) {
    this.storage = storageKey(data);
    this.place = parentElement;
    this.journal = new Journal("touchstone-desk-" + data.who + "-", data.task + "/" + tabName());
    this.formatted = remembered("formatted", false);
    this.root = make("section", "desk");
    this.root.setAttribute("aria-label", "Rating desk");
    this.root.dataset.task = data.task;
    this.root.tabIndex = -1;
    this.top = make("div", "top");
    this.numbers = make("div", "numbers");
    this.tools = make("div", "tools");
    this.top.append(this.numbers, this.tools);
    this.help = make("div");
    this.body = make("div", "body");
    this.said = make("div", "said");
    this.said.setAttribute("role", "status");
    this.quiet = make("div", "unseen");
    this.quiet.setAttribute("aria-live", "polite");
    this.root.append(this.top, this.help, this.said, this.body, this.quiet);
    this.root.prepend(make("style", "", Desk.style));
    this.place.append(this.root);
    this.root.focus({ preventScroll: true }); // else Enter still belongs to the button that chose the task
    Desk.newest = this;
    this.onkey = (event) => this.key(event);
    window.addEventListener("keydown", this.onkey, true);
  }

  leave() {
    window.removeEventListener("keydown", this.onkey, true);
    clearTimeout(this.timer);
    clearTimeout(this.drafting);
    this.root.remove();
  }

  update({ data, setStateValue }) {
    const first = !this.data;
    this.data = data;
    this.set = setStateValue;
    const told = this.journal.acknowledge(data.acknowledged);
    const message = told.map((entry) => entry.message).at(-1);
    const kept = this.journal.waiting.length;
    if (data.problem && kept) this.say(data.problem + " Your answers are kept in this browser.", true);
    else if (message) this.say(message, !message.startsWith("Your comment"));
    if (!data.ready && this.greeted !== data.tab) { this.greeted = data.tab; this.send(); }
    if (!this.journal.log.length && data.ready) clearTimeout(this.timer);
    if (this.checking && this.checking in data.acknowledged) this.checked(data.feedback[this.checking]);
    if (first || this.guided !== data.guidelines) this.furnish();
    this.draw();
  }

  send() {
    this.set("log", { sent: Date.now(), entries: this.journal.log });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (this.root.isConnected) { this.send(); this.count(); } }, RETRY);
  }

  push(kind, given = {}) {
    const view = this.view;
    const item = view ? view.item : {};
    clearTimeout(this.drafting);
    const id = this.journal.add(kind, item, { comment: view ? view.work.comment.slice(0, 5000) : "",
      seconds: view ? (performance.now() - view.since) / 1000 : 0, ...given });
    this.say("");
    this.send();
    if (kind === "answer" && item.practice) {
      this.checking = id;
      view.answer.inert = true;
      this.say("Looking up what was right…");
      this.count();
      return;
    }
    this.draw();
  }

  // After a practice item, before the next one.
  checked(feedback) {
    this.say("");
    const next = () => { this.checking = ""; this.teaching = false; this.draw(); };
    if (!feedback || !this.view) { next(); return; }
    if (this.teaching) return;
    this.teaching = true;
    this.view.teach(feedback, next);
  }

  draft(view) {
    this.journal.drafts[view.item.slot] = view.work;
    this.journal.keep();
    clearTimeout(this.drafting);
    this.drafting = setTimeout(() => {
      if (this.view !== view || view.saved || !this.root.isConnected) return;
      this.journal.add("draft", view.item, { content: view.work });
      this.send();
    }, DRAFT_AFTER);
  }

  current() {
    const { gone } = this.journal;
    const slots = new Set([...gone].map((name) => Number(name.split(":")[0])));
    return this.data.items.find((item) => !gone.has(item.slot + ":" + item.fence) && (item.correcting || !slots.has(item.slot)));
  }

  get undoing() { return this.journal.log.some((entry) => entry.kind === "undo"); }

  say(text, bad) { this.said.textContent = text; this.said.className = bad ? "said bad" : "said"; }
  whisper(text) { this.quiet.textContent = text; }

  count() {
    const { data } = this;
    const { waiting } = this.journal;
    const given = waiting.filter((entry) => entry.kind === "answer").length;
    const left = data.waiting_text.endsWith("+") ? data.waiting_text : String(Math.max(0, data.waiting - given));
    const stuck = waiting.length && Date.now() - waiting[0].at > 2 * RETRY;
    const words = [left + " waiting for you", data.done + given + " done by you here", data.today + given + " today"];
    if (data.seconds !== null) words.push(data.seconds + " s each");
    if (data.hourly !== null) words.push(data.hourly + " an hour");
    if (data.gold) words.push(data.gold);
    this.numbers.replaceChildren(...words.map((text) => { const [, number, rest] = /^(\S+)(.*)$/.exec(text);
      const node = make("span"); node.append(make("b", "", number), rest); return node; }));
    const saving = !waiting.length ? "All saved" : stuck ? waiting.length + " kept here until the connection is back" : "Saving " + waiting.length + "…";
    this.numbers.append(make("span", waiting.length ? stuck ? "saving stuck" : "saving" : "saving saved", saving));
  }

  draw() {
    const { data } = this;
    this.count();
    if (this.checking || (!data.ready && this.view && this.view.node.isConnected && !this.view.saved)) return;
    const item = this.current();
    const drawn = item ? item.slot + ":" + item.fence : data.ready ? "none" + this.journal.waiting.length : "loading";
    if (drawn === this.drawn) return;
    const inside = this.root.contains(this.root.getRootNode().activeElement);
    const follows = this.view && item;
    this.drawn = drawn;
    this.view = item ? new View(this, item) : null;
    this.body.replaceChildren(...(this.view ? [this.view.node] : this.nothing()), ...(this.aside ? [this.aside] : []));
    if (inside) this.root.focus({ preventScroll: true });
    if (follows) this.whisper("Next item. " + data.waiting_text + " waiting.");
  }

  nothing() {
    const box = make("div", "nothing");
    const text = !this.data.ready ? "Getting your items…" : this.journal.waiting.length ? "Saving your last answers…"
      : "Nothing is left for you in this task. Thank you! Items that somebody skips may come back; look in again later.";
    box.append(make("p", "", text));
    if (this.data.ready) box.append(this.button("Undo the last answer", "U", () => this.undo()));
    return [box];
  }

  // The toolbar, and the guidelines beside the item.
  furnish() {
    const { data } = this;
    this.guided = data.guidelines;
    this.aside = data.guidelines ? guidelines(this) : null;
    this.look = this.button("", "M", () => this.show(!this.formatted), this.formatted);
    this.look.prepend("Formatted");
    const tools = [this.look];
    if (this.aside) {
      const open = remembered("guidelines-" + data.task, data.unread);
      this.guide = this.button("Guidelines", "", () => this.showGuide(!this.root.classList.contains("guided")), open);
      tools.push(this.guide);
      this.showGuide(open, false);
    }
    if (data.keys) tools.push(this.list = this.button("Keys", "?", () => this.showKeys(), false));
    this.tools.replaceChildren(...tools);
    this.drawn = undefined;
  }

  show(formatted) {
    this.formatted = formatted;
    remember("formatted", formatted);
    this.look.setAttribute("aria-pressed", String(formatted));
    if (this.view) this.view.cards.rewrite();
    this.whisper(formatted ? "Shown formatted" : "Shown as written");
  }

  showGuide(open, keep = true) {
    this.root.classList.toggle("guided", open);
    this.guide.setAttribute("aria-pressed", String(open));
    if (keep) remember("guidelines-" + this.data.task, open);
  }

  showKeys() {
    const open = !this.help.firstChild;
    this.help.replaceChildren(...(open ? [keyList(this.view, this.data)] : []));
    this.list.setAttribute("aria-pressed", String(open));
  }

  button(text, key, act, pressed) {
    const node = make("button", "", text);
    node.type = "button";
    if (key) this.withKey(node, key);
    if (pressed !== undefined) node.setAttribute("aria-pressed", String(pressed));
    node.addEventListener("click", (event) => { this.release(event); act(); });
    return node;
  }

  withKey(node, key, words = "") { if (this.data.keys) node.append(make("kbd", "", key), words ? " " + words + " " : ""); }

  // After a press with the mouse the keys belong to the desk again; a press with the keyboard keeps its place.
  release(event) { if (event.detail > 0) event.currentTarget.blur(); }

  undo() { if (!this.undoing && !this.checking && !(this.view && this.view.item.correcting)) { this.push("undo"); this.say("Taking your last answer back…"); } }

  key(event) {
    if (!this.root.isConnected) { this.leave(); return; }
    if (!this.data || event.isComposing) return;
    if (Desk.newest !== this && Desk.newest.root.isConnected) return; // another task was chosen; this one is about to go
    const at = event.composedPath()[0];
    const typing = at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName || "");
    const name = event.key.toLowerCase();
    const ours = this.root.contains(at);
    if (typing ? ours && this.typed(name, event, at) : this.pressed(name, event, at, ours)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }

  // In a text box only Ctrl+Enter and Escape mean something.
  typed(name, event, at) {
    const { view } = this;
    if (!view || event.repeat) return false;
    const inPanel = view.panel && view.panel.node.contains(at);
    if (name === "enter" && (event.ctrlKey || event.metaKey)) {
      if (inPanel) view.panel.send(view.panel.box.value); else view.save();
      return true;
    }
    if (name !== "escape") return false;
    if (inPanel) { view.openPanel(""); return true; }
    at.blur();
    this.root.focus({ preventScroll: true });
    const field = view.fields.find((one) => one.box === at);
    if (field) { field.passed = !field.question.required; if (field.done) view.goOn(field.row); }
    return true;
  }

  pressed(name, event, at, ours) {
    if (!this.data.keys || event.altKey || (at.closest && at.closest("[role=tab],[role=option],[role=menuitem],[role=slider]"))) return false;
    if (at.closest && at.closest("[role=dialog]") && connected()) return false; // but not the notice of a lost connection
    if (name === "enter" && at.closest && at.closest("button,summary,a")) return false;
    if (event.ctrlKey || event.metaKey) {
      if (name !== "enter" || !this.view || event.repeat || this.checking) return false;
      this.view.save();
      return true;
    }
    const { view } = this;
    if (event.repeat) return Boolean(ours && view && view.marking.caret && view.marking.key(name, event.shiftKey)) || /^[a-z0-9]$/.test(name);
    if (name === "?") { this.showKeys(); return true; }
    if (this.checking) return false;
    if (name === "u") { this.undo(); return true; }
    if (!view || this.undoing) return false;
    const pad = /^Numpad([0-9])$/.exec(event.code);
    const acts = { s: () => !view.item.correcting && view.openPanel("skip"), f: () => !view.item.correcting && view.openPanel("flag"),
      c: () => view.box.focus(), m: () => this.show(!this.formatted), e: () => view.cards.unfold(),
      enter: () => view.enter(), escape: () => view.panel && view.openPanel("") };
    if (view.marking.caret && name === "escape") return view.key(name, event);
    if (Object.hasOwn(acts, name)) { acts[name](); return true; }
    return view.key(pad ? pad[1] : name, event);
  }
}
