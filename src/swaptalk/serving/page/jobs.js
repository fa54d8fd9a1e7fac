// The list of what was made, and of what is being made.

import { Problem, call } from "./api.js";
import { button, byId, make } from "./dom.js";
import { chosen, duration, stateOf } from "./words.js";

export const runs = (job) => ["queued", "running"].includes(job.state);

export class JobList {
  /** @param {{open: Function, again: Function, retry: Function, failed: Function, title: Function}} on what the buttons do */
  constructor(on) {
    this.on = on;
    this.list = byId("jobs");
    this.jobs = new Map();
    this.rows = new Map();
    this.next = null;
    this.more = byId("more");
    this.more.addEventListener("click", () => this.load().catch(on.failed));
    document.addEventListener("click", (event) => {
      for (const menu of this.list.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    });
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
    const known = this.jobs.get(job.id);
    if (job.kind !== "render" || job.revision < (known?.revision ?? 0)) return;
    this.jobs.set(job.id, job);
    const row = this.rows.get(job.id) ?? this.add(job);
    if (known && known.state === job.state && known.title === job.title && known.cancelling === job.cancelling) this.advance(row, job);
    else this.fill(row, job);
    byId("no-jobs").hidden = true;
    if (known && runs(known) && known.state !== job.state) this.moveUp();
  }

  /** One has left the queue: the others are nearer to its head. */
  moveUp() {
    for (const job of this.jobs.values()) {
      if (job.state === "queued") call("GET", `/api/v1/jobs/${job.id}`).then((now) => this.heard(now)).catch(() => {});
    }
  }

  add(job) {
    const row = make("li", { className: "job" });
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
    byId("no-jobs").hidden = this.rows.size > 0;
  }

  state(job) {
    if (runs(job)) return stateOf(job);
    const length = job.state === "done" ? [duration(job.result.duration ?? 0)] : [];
    const when = new Date(job.created).toLocaleString([], { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
    return [stateOf(job), ...length, when].join(" · ");
  }

  /** Only how far it is has changed. */
  advance(row, job) {
    row.querySelector(".state").textContent = this.state(job);
    const bar = row.querySelector(".still progress");
    if (bar) bar.value = job.progress;
  }

  fill(row, job) {
    const title = this.on.title(job);
    const focused = row.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent : null;
    const name = make("div", { className: "title", textContent: title, title });
    const state = make("span", { className: `hint state state-${job.state}`, textContent: this.state(job) });
    const text = make("div", { className: "text" }, make("div", { className: "head" }, name, this.menu(job, title, name)), state,
      make("span", { className: "chosen", textContent: chosen(job.request.options) }));
    if (job.error) text.append(make("span", { className: "hint", textContent: job.error.detail }));
    const direct = make("div", { className: "direct" });
    if (runs(job)) direct.append(this.does("Cancel", job, title, (one) => call("POST", `/api/v1/jobs/${one.id}/cancel`)));
    if (["failed", "cancelled"].includes(job.state)) direct.append(this.does("Try again", job, title, this.on.retry));
    if (direct.firstChild) text.append(direct);
    row.replaceChildren(this.still(job, title), text);
    if (focused) [...row.querySelectorAll("button, a, summary")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === focused)?.focus();
  }

  /** A picture of the result; before there is one, of the scene and the person. */
  still(job, title) {
    const still = this.does("", job, title, this.on.open, { className: "still" });
    still.setAttribute("aria-label", `${job.state === "done" ? "Show" : "Watch"}: ${title}`);
    const picture = (source, className = "") => {
      const image = make("img", { src: source, alt: "", className, loading: "lazy" });
      image.addEventListener("error", () => image.remove());
      return image;
    };
    if (job.poster) still.append(picture(job.poster));
    else {
      still.append(picture(`/api/v1/uploads/${job.request.target}/picture`));
      if (job.request.source[0]) still.append(picture(`/api/v1/uploads/${job.request.source[0]}/picture`, "face"));
    }
    if (runs(job)) still.append(make("progress", { max: 1, value: job.progress, attributes: { "aria-hidden": "true" } }));
    return still;
  }

  does(text, job, title, action, properties = {}) {
    const made = button(text, () => Promise.resolve(action(this.jobs.get(job.id) ?? job)).catch(this.on.failed), properties);
    made.setAttribute("aria-label", `${text}: ${title}`);
    return made;
  }

  menu(job, title, name) {
    const entries = make("div");
    if (job.state === "done") {
      entries.append(make("a", { href: `${job.output}?download=true`, textContent: "Download", className: "button", attributes: { "aria-label": `Download: ${title}` } }));
    }
    entries.append(this.does("Same scene again", job, title, this.on.again), this.does("Rename", job, title, () => this.rename(job, name)));
    if (!runs(job)) {
      entries.append(this.does("Delete", job, title, (one) => {
        if (confirm("Delete this video for good?")) return call("DELETE", `/api/v1/jobs/${one.id}`);
      }));
    }
    const menu = make("details", { className: "menu" }, make("summary", { textContent: "⋯", attributes: { "aria-label": `More: ${title}` } }), entries);
    menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); } });
    entries.addEventListener("click", () => { menu.open = false; });
    return menu;
  }

  rename(job, name) {
    const field = make("input", { value: this.on.title(job), maxLength: 200, attributes: { "aria-label": "Title" } });
    let isOver = false;
    const end = async (keep) => {
      if (isOver) return;
      isOver = true;
      const title = field.value.trim();
      try {
        if (keep && title) this.heard(await call("PATCH", `/api/v1/jobs/${job.id}`, { title }));
      } catch (problem) {
        this.on.failed(problem instanceof Problem ? problem : new Problem({ detail: String(problem) }));
      }
      const row = this.rows.get(job.id);
      if (row) {
        this.fill(row, this.jobs.get(job.id));
        row.querySelector(".menu summary")?.focus();
      }
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    field.addEventListener("blur", () => end(true));
    name.replaceChildren(field);
    field.select();
  }
}
