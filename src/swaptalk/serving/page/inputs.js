// The three cards: who, scene, words.

import { Problem, call, upload } from "./api.js";
import { mainFace, showPictures, showSound } from "./seen.js";
import { size } from "./words.js";

export class Input {
  /** @param {string} name source, target or audio @param {() => void} changed @param {() => object} about */
  constructor(name, changed, about) {
    this.name = name;
    this.card = document.getElementById(name);
    this.about = about;
    this.changed = changed;
    this.upload = null;
    this.picked = null;
    this.sending = null;
    this.drop = this.card.querySelector(".drop");
    this.file = this.drop.querySelector("input");
    this.file.addEventListener("change", () => { if (this.file.files[0]) this.send(this.file.files[0], this.file.files[0].name); });
    for (const kind of ["dragenter", "dragover"]) {
      this.card.addEventListener(kind, (event) => { event.preventDefault(); this.drop.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) this.card.addEventListener(kind, () => this.drop.classList.remove("over"));
    this.card.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer.files[0];
      if (file) this.send(file, file.name);
    });
  }

  get id() { return this.upload?.id ?? null; }

  /** Sends a file and shows what was understood of it. */
  async send(file, name) {
    this.sending?.abort();
    const sending = this.sending = new AbortController();
    this.clear();
    const bar = this.card.querySelector(".sending");
    const most = this.about().limits?.upload_bytes;
    try {
      if (most && file.size > most) {
        throw new Problem({ detail: `The file has ${size(file.size)}, ${size(most)} are allowed.`, remedy: "Take a shorter one." });
      }
      bar.hidden = false;
      this.remark([["wait", "Sending …"]]);
      const sent = await upload(file, name, (share) => { bar.value = share; }, sending.signal);
      if (!sending.signal.aborted) this.take(sent);
    } catch (problem) {
      if (problem.name !== "AbortError") this.refuse(problem);
    } finally {
      if (!sending.signal.aborted) bar.hidden = true;
      this.file.value = "";
    }
  }

  refuse(problem) {
    this.clear();
    this.remark([["bad", [problem.detail ?? problem.message, problem.remedy].filter(Boolean).join(" ")]]);
  }

  clear() {
    this.upload = null;
    this.picked = null;
    this.card.classList.remove("chosen");
    this.card.querySelector(".seen").hidden = true;
    this.remark([]);
    this.changed();
  }

  /** Takes a file that is on the server. @param {object} sent @param {number|null} picked whose face */
  take(sent, picked = null) {
    this.upload = sent;
    this.picked = picked;
    this.card.classList.add("chosen");
    this.draw();
    this.changed();
  }

  /** Takes an upload by its name, if it is still there. */
  async restore(id, picked = null) {
    try {
      this.take(await call("GET", `/api/v1/uploads/${id}`), picked);
    } catch (problem) {
      this.refuse(problem.status === 404 ? new Problem({ detail: "This file has been deleted.", remedy: "Choose it again." }) : problem);
    }
  }

  /** Hears of a job; if it is the look into this file, shows how far it is. */
  heard(job) {
    if (this.upload?.inspection?.id !== job.id || job.revision < this.upload.inspection.revision) return;
    this.upload.inspection = job;
    this.draw();
    this.changed();
  }

  draw() {
    const place = this.card.querySelector(".seen");
    if (this.name === "audio") return this.remark(showSound(place, this.upload));
    const view = this.upload.inspection?.result?.view;
    if (this.picked === null && view) this.picked = null;
    const shown = this.picked ?? (view ? mainFace(view) : null);
    this.remark(showPictures(place, this.upload, shown, (number) => {
      this.picked = number;
      this.draw();
      this.card.querySelector(`.people input[value="${number}"]`)?.focus();
      this.changed();
    }));
  }

  /** The option that names the person picked; nothing where the program's own choice is meant. */
  get person() {
    const found = this.upload?.inspection?.result;
    if (!found?.people || found.people.length < 2) return null;
    const number = this.picked ?? mainFace(found.view);
    if (this.name === "source") return String(found.left_to_right.indexOf(number) + 1);
    return String(number);
  }

  /** Whether what is known speaks against using it. */
  get isUnusable() {
    const inspection = this.upload?.inspection;
    return inspection?.state === "failed" || (inspection?.state === "done" && !inspection.result.people.length);
  }

  remark(remarks) {
    const items = remarks.map(([kind, text]) => Object.assign(document.createElement("li"), { className: kind, textContent: text }));
    this.card.querySelector(".remarks").replaceChildren(...items);
  }
}
