// What a comparison and a ranking ask before their rubric: which is better, and in which order.
const VERDICTS = [
  ["left", "Left is better", "←", "arrowleft"],
  ["tie", "Equally good", "T", "t"],
  ["both_bad", "Both bad", "B", "b"],
  ["right", "Right is better", "→", "arrowright"],
];
const PLACES = ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th"];

class Comparing {
  constructor(view) {
    this.view = view;
    this.node = make("div", "row verdicts");
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Which response is better?");
    this.buttons = VERDICTS.map(([verdict, text, key]) => view.desk.button(text, key, () => this.choose(verdict), false));
    this.node.append(...this.buttons);
  }

  get complete() { return VERDICTS.some(([verdict]) => verdict === this.view.work.verdict); }
  get missing() { return "Choose the better response, a tie or both bad."; }
  get instant() { return true; }

  choose(verdict) {
    this.view.remember();
    this.view.work.verdict = verdict;
    this.view.changed();
    this.view.goOn(-1);
  }

  key(name) {
    const found = VERDICTS.find(([, , , key]) => key === name);
    if (found) this.choose(found[0]);
    return Boolean(found);
  }

  refresh() {
    this.buttons.forEach((node, n) => node.setAttribute("aria-pressed", String(this.view.work.verdict === VERDICTS[n][0])));
  }
}

class Ranking {
  constructor(view) {
    this.view = view;
    this.tying = false;
    this.node = make("div", "ranking");
    this.told = make("p", "order");
    this.tie = view.desk.button("Same place as the one before", "=", () => this.tieNext(), false);
    this.back = view.desk.button("Take the last place back", "⌫", () => view.back());
    const row = make("div", "row");
    row.append(this.tie, this.back);
    this.node.append(this.told, row);
    this.buttons = view.cards.cards.map((card, place) => {
      const node = view.desk.button("", String(place + 1), () => this.toggle(place));
      node.className = "place";
      node.prepend(make("span"));
      card.querySelector("header").append(node);
      return node;
    });
  }

  get order() { return this.view.work.ranking; }
  get count() { return this.view.item.texts.length; }
  get placed() { return this.order.flat(); }
  get complete() { return this.placed.length === this.count; }
  get missing() { return "Give every response a place, the best first."; }
  get instant() { return false; }

  toggle(place) {
    this.view.remember();
    if (this.placed.includes(place)) {
      this.view.work.ranking = this.order.map((tied) => tied.filter((one) => one !== place)).filter((tied) => tied.length);
    } else if (this.tying && this.order.length) {
      this.view.work.ranking = [...this.order.slice(0, -1), [...this.order.at(-1), place]];
    } else this.view.work.ranking = [...this.order, [place]];
    this.tying = false;
    this.view.changed();
    this.view.desk.whisper(this.words);
    if (this.complete) this.view.goOn(-1);
  }

  tieNext() {
    if (!this.order.length || this.complete) return;
    this.tying = !this.tying;
    this.view.refresh();
  }

  key(name) {
    if (name === "=") { this.tieNext(); return true; }
    const place = Number(name) - 1;
    if (this.complete || !(place >= 0 && place < this.count)) return false;
    if (!this.placed.includes(place)) this.toggle(place);
    return true;
  }

  // "2 > 1 = 3": responses from best to worst.
  get words() { return this.order.map((tied) => tied.map((place) => place + 1).join(" = ")).join(" > "); }

  rank(place) {
    let before = 0;
    for (const tied of this.order) {
      if (tied.includes(place)) return before;
      before += tied.length;
    }
    return -1;
  }

  refresh() {
    const next = this.placed.length && this.tying ? this.rank(this.order.at(-1)[0]) : this.placed.length;
    this.buttons.forEach((node, place) => {
      const rank = this.rank(place);
      node.setAttribute("aria-pressed", String(rank >= 0));
      node.firstChild.textContent = rank >= 0 ? PLACES[rank] : "Make it " + PLACES[next];
      node.setAttribute("aria-label", rank >= 0 ? "Response " + (place + 1) + " is " + PLACES[rank] + ". Take its place away"
        : "Make response " + (place + 1) + " " + PLACES[next]);
    });
    this.tie.setAttribute("aria-pressed", String(this.tying));
    this.tie.disabled = !this.order.length || this.complete;
    this.back.disabled = !this.view.history.length;
    this.told.textContent = !this.order.length ? "Which is the best? Then the next best, down to the worst."
      : this.complete ? "Your order: " + this.words : "So far: " + this.words + " > …";
  }
}
