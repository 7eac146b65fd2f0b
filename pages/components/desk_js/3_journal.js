// What the server has not acknowledged yet, and drafts. Kept in the browser's storage: it survives a lost connection, a
// reload of the page and a restart of the server. Each tab and task has a place of its own; what is left elsewhere (a tab
// that closed, another task) is taken over, which is safe, because an entry is stored once however often it is sent.
const OLDEST_DRAFT = 14 * 24 * 3600 * 1000;
const UNNUMBERED = ["undo", "flag", "draft"];

class Journal {
  constructor(prefix, name) {
    this.prefix = prefix;
    this.key = prefix + name;
    this.log = [];
    this.drafts = {};
    for (const key of this.kept()) this.take(key);
    this.keep();
  }

  kept() {
    try { return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)); } catch (_) { return []; }
  }

  take(key) {
    try {
      const { log, drafts } = JSON.parse(localStorage.getItem(key) || "{}");
      const known = new Set(this.log.map((entry) => entry.id));
      const ours = (entry) => !known.has(entry.id) && (key === this.key || entry.kind !== "undo");
      this.log.push(...(Array.isArray(log) ? log : []).filter(ours));
      for (const [slot, draft] of Object.entries(drafts || {})) {
        const fresh = draft && draft.at > Date.now() - OLDEST_DRAFT;
        if (fresh && !(this.drafts[slot] && this.drafts[slot].at > draft.at)) this.drafts[slot] = draft;
      }
      if (key !== this.key) localStorage.removeItem(key);
    } catch (_) { /* storage is closed or broken: begin with an empty log */ }
  }

  keep() {
    try { localStorage.setItem(this.key, JSON.stringify({ log: this.log, drafts: this.drafts })); }
    catch (_) { /* without storage the log lives as long as the page */ }
  }

  add(kind, item, given) {
    const id = item.slot + ":" + item.fence + ":" + kind + (UNNUMBERED.includes(kind) ? ":" + Date.now() : "");
    if (kind !== "flag" && kind !== "undo") this.log = this.log.filter((entry) => entry.kind !== "draft" || entry.slot !== item.slot);
    this.log.push({ id, kind, slot: item.slot || 0, fence: item.fence || 0, at: Date.now(), ...given });
    this.keep();
    return id;
  }

  // Forget what the server has; returns the entries that it answered with a message.
  acknowledge(answers) {
    const told = [];
    this.log = this.log.filter((entry) => {
      if (!(entry.id in answers)) return true;
      if (["answer", "skip", "keep"].includes(entry.kind) && !answers[entry.id]) delete this.drafts[entry.slot];
      if (answers[entry.id]) told.push({ ...entry, message: answers[entry.id] });
      return false;
    });
    this.keep();
    return told;
  }

  // Answers and the like; drafts do not count as work that waits.
  get waiting() { return this.log.filter((entry) => entry.kind !== "draft"); }

  get gone() {
    const over = this.log.filter((entry) => ["answer", "skip", "keep"].includes(entry.kind));
    return new Set(over.map((entry) => entry.slot + ":" + entry.fence));
  }
}

function tabName() {
  try {
    const name = sessionStorage.getItem("touchstone-tab") || Math.random().toString(36).slice(2);
    sessionStorage.setItem("touchstone-tab", name);
    return name;
  } catch (_) { return "tab"; }
}

function remembered(name, otherwise) {
  try { return JSON.parse(localStorage.getItem("touchstone-" + name) ?? "null") ?? otherwise; } catch (_) { return otherwise; }
}

function remember(name, value) {
  try { localStorage.setItem("touchstone-" + name, JSON.stringify(value)); } catch (_) { /* asked anew next time */ }
}
