// The person of the scene who looks like a photo, instead of one picked by number.

import { Problem, call, upload } from "./api.js";
import { button, byId, make, settle } from "./dom.js";
import { thumbnail } from "./seen.js";

export class Likeness {
  /** @param {object} target the input with the scene @param {() => void} changed */
  constructor(target, changed) {
    Object.assign(this, { target, changed });
    this.entry = null;  // {upload, name}
    this.file = byId("find").querySelector("input");
    this.file.addEventListener("change", async () => {
      const [photo] = this.file.files;
      if (photo) await this.send(photo);
      this.file.value = "";
    });
    // Whoever is picked by number afterwards is meant.
    target.card.addEventListener("change", (event) => { if (event.target.name === "target-person" && this.entry) this.take(null); });
  }

  get id() { return this.entry?.upload.id ?? null; }

  /** What turns call the person: the file's name without what a name may not have. */
  get name() { return this.entry.name.replace(/\.[a-z0-9]{2,5}$/i, "").replace(/[,="]/g, " ").trim().slice(0, 60) || "by photo"; }

  async send(photo) {
    settle(this.target.problem, this.file);
    try {
      const sent = await upload(photo, photo.name, () => {});
      if (sent.kind !== "photo") throw new Problem({ detail: `“${photo.name}” is no photo.`, remedy: "Take a picture that shows whom you mean, such as a frame of the scene." });
      this.take({ upload: sent, name: photo.name });
    } catch (problem) {
      this.target.refuse(problem, photo.name);
    }
  }

  /** @param {{upload: object, name: string}|null} entry */
  take(entry) {
    this.entry = entry;
    this.target.byPhoto = Boolean(entry);
    this.target.draw();
    this.target.on.look(this.target, false);
    this.draw();
    this.changed();
  }

  /** Takes an upload by its name, if it is still there. */
  async restore(id, name = null) {
    const sent = id ? await call("GET", `/api/v1/uploads/${id}`).catch(() => null) : null;
    if (sent || this.entry) this.take(sent && { upload: sent, name: name ?? sent.name });
  }

  /** Hears of a job; the look into the photo gives its small picture. */
  heard(job) {
    if (this.entry?.upload.inspection?.id !== job.id) return;
    this.entry.upload.inspection = job;
    this.draw();
  }

  draw() {
    byId("find").hidden = (this.target.upload?.inspection?.result?.people ?? []).length < 2;
    if (!this.entry) return byId("likeness").replaceChildren();
    const lacks = this.entry.upload.inspection?.result?.people?.length === 0;
    const text = lacks ? `No face was found in “${this.entry.name}”` : `Whoever looks like “${this.entry.name}”`;
    byId("likeness").replaceChildren(make("li", {}, thumbnail(this.entry.upload, null), make("span", { textContent: text }), button("✕", () => {
      this.take(null);
      this.file.focus();
    }, { attributes: { "aria-label": `Do not look for ${this.entry.name}` } })));
  }
}
