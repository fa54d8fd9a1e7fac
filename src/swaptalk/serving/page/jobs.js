// The list of what was made, and of what is being made.

import { call } from "./api.js";
import { size, stateOf } from "./words.js";

export class JobList {
  /** @param {{open: Function, again: Function, failed: Function, name: Function}} on what the buttons do */
  constructor(on) {
    this.on = on;
    this.list = document.getElementById("jobs");
    this.jobs = new Map();
    this.rows = new Map();
    this.next = null;
    this.more = document.getElementById("more");
    this.more.addEventListener("click", () => this.load().catch(on.failed));
  }

  /** Loads the newest jobs, or those after the last ones. Gives the revision of the list. */
  async load() {
    const page = await call("GET", `/api/v1/jobs?limit=20${this.next ? `&before=${this.next}` : ""}`);
    this.next = page.next;
    this.more.hidden = !page.next;
    for (const job of page.jobs) this.heard(job);
    return page.revision;
  }

  heard(job) {
    if (job.kind !== "render" || job.revision < (this.jobs.get(job.id)?.revision ?? 0)) return;
    this.jobs.set(job.id, job);
    const row = this.rows.get(job.id) ?? this.add(job);
    this.fill(row, job);
    this.empty();
  }

  add(job) {
    const row = document.createElement("li");
    const older = [...this.rows].find(([id]) => this.jobs.get(id).created < job.created);
    this.list.insertBefore(row, older ? older[1] : null);
    this.rows.set(job.id, row);
    this.rows = new Map([...this.rows].sort((a, b) => this.jobs.get(b[0]).created.localeCompare(this.jobs.get(a[0]).created)));
    return row;
  }

  removed(id) {
    this.rows.get(id)?.remove();
    this.rows.delete(id);
    this.jobs.delete(id);
    this.empty();
  }

  empty() { document.getElementById("no-jobs").hidden = this.rows.size > 0; }

  /** New names of files have become known. */
  redraw() { for (const [id, row] of this.rows) this.fill(row, this.jobs.get(id)); }

  fill(row, job) {
    const title = this.on.name(job);
    const what = Object.assign(document.createElement("div"), { className: "what" });
    const state = Object.assign(document.createElement("span"), { className: `hint state-${job.state}` });
    const when = new Date(job.created).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const weight = job.state === "done" ? `, ${size(job.result.bytes)}` : "";
    state.textContent = `${stateOf(job)}${weight} · ${when}`;
    what.append(Object.assign(document.createElement("span"), { textContent: title }), state);
    if (job.error) what.append(Object.assign(document.createElement("span"), { className: "hint", textContent: job.error.detail }));
    const actions = [];
    const button = (text, action) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      made.setAttribute("aria-label", `${text}: ${title}`);
      made.addEventListener("click", () => Promise.resolve(action(job)).catch(this.on.failed));
      actions.push(made);
    };
    if (["queued", "running"].includes(job.state)) {
      button("Watch", this.on.open);
      button("Cancel", (one) => call("POST", `/api/v1/jobs/${one.id}/cancel`));
    } else {
      if (job.state === "done") {
        button("Show", this.on.open);
        const save = Object.assign(document.createElement("a"), { href: `${job.output}?download=true`, textContent: "Download", className: "button" });
        save.setAttribute("aria-label", `Download: ${title}`);
        actions.push(save);
      }
      button("Same scene again", this.on.again);
      button("Delete", (one) => {
        if (confirm("Delete this video for good?")) return call("DELETE", `/api/v1/jobs/${one.id}`);
      });
    }
    const focused = [...row.querySelectorAll("button, a")].findIndex((one) => one === document.activeElement);
    row.replaceChildren(what, ...actions);
    if (focused >= 0) row.querySelectorAll("button, a")[Math.min(focused, actions.length - 1)]?.focus();
  }
}
