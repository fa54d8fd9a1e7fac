// The three inputs: who, scene, words. A wrong file never replaces a good one.

import { Problem, call, upload } from "./api.js";
import { button, byId, complain, make, settle } from "./dom.js";
import { choice, mainFace, remarksOn, thumbnail } from "./seen.js";
import { duration, size } from "./words.js";

/** Photos of one person that the server takes. */
const MOST_PHOTOS = 8;
/** What each input takes, and what is said of other files. */
const KINDS = {
  source: { takes: ["photo"], remedy: { video: "Save a frame of it as a picture and choose that, or choose it as the scene.", audio: "Choose it as the words." } },
  target: { takes: ["video", "photo"], remedy: { audio: "Choose it as the words." } },
  audio: { takes: ["audio", "video"], remedy: { photo: "Choose a recording, or a video with sound." } },
};
const CALLED = { photo: "a photo", video: "a video", audio: "a recording" };
const BY_TYPE = { image: "photo", video: "video", audio: "audio" };

/** @throws {Problem} if a file of this kind is of no use here */
function check(input, kind, name) {
  if (!kind || KINDS[input].takes.includes(kind)) return;
  throw new Problem({ detail: `“${name}” is ${CALLED[kind]}.`, remedy: KINDS[input].remedy[kind] });
}

export class Input {
  /** @param {string} name source, target or audio @param {{changed: Function, limits: Function, look: Function}} on */
  constructor(name, on) {
    this.name = name;
    this.on = on;
    this.card = byId(name);
    this.entries = [];  // {upload, name}
    this.picked = null;
    /** Whether the person is found by a photo instead of a number. */
    this.byPhoto = false;
    this.file = this.card.querySelector(".row input");
    this.problem = this.card.querySelector(".problem");
    this.title = this.card.querySelector("strong").textContent;
    this.empty = this.card.querySelector(".thumbs").innerHTML;
    this.file.addEventListener("change", () => this.choose(this.file));
    this.add = this.card.querySelector(".add");
    this.add?.addEventListener("change", (event) => this.choose(event.target, true));
    for (const kind of ["dragenter", "dragover"]) this.card.addEventListener(kind, (event) => { event.preventDefault(); this.card.classList.add("over"); });
    for (const kind of ["dragleave", "drop"]) this.card.addEventListener(kind, () => this.card.classList.remove("over"));
    this.card.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) this.sendAll([...event.dataTransfer.files], false);
    });
  }

  get upload() { return this.entries[0]?.upload ?? null; }
  get id() { return this.upload?.id ?? null; }
  get ids() { return this.entries.map((entry) => entry.upload.id); }
  get most() { return this.name === "source" ? MOST_PHOTOS : 1; }

  async choose(control, adds = false) {
    const files = [...control.files];
    await this.sendAll(files, adds);
    control.value = "";
  }

  /** Sends files; the first replaces what is there unless it is to be added. */
  async sendAll(files, adds) {
    for (const [index, file] of files.slice(0, this.most).entries()) await this.send(file, file.name, adds || index > 0);
    if (files.length > this.most) this.refuse(new Problem({ detail: `At most ${this.most} can be given.`, remedy: "The others were left out." }));
  }

  /** Sends a file and shows what was understood of it. */
  async send(file, name, adds = false) {
    this.sending?.abort();
    const sending = this.sending = new AbortController();
    const bar = this.card.querySelector(".sending");
    const most = this.on.limits()?.upload_bytes;
    settle(this.problem, this.file);
    try {
      check(this.name, BY_TYPE[file.type.split("/")[0]], name);
      if (most && file.size > most) {
        throw new Problem({ detail: `“${name}” has ${size(file.size)}, ${size(most)} are allowed.`, remedy: "Take a shorter one." });
      }
      bar.hidden = false;
      bar.value = 0;
      const sent = await upload(file, name, (share) => { bar.value = share; }, sending.signal);
      if (!sending.signal.aborted) this.take(sent, { name, adds });
    } catch (problem) {
      if (problem.name !== "AbortError") this.refuse(problem, name);
    } finally {
      if (!sending.signal.aborted) bar.hidden = true;
    }
  }

  /** Says why a file was not taken; the one before stays. */
  refuse(problem, name = null) {
    const detail = problem.detail ?? problem.message;
    complain(this.problem, { ...problem, detail: name && !detail.includes(name) ? `“${name}”: ${detail}` : detail, remedy: problem.remedy }, this.file);
    this.on.changed();
  }

  clear() {
    this.entries = [];
    this.picked = null;
    settle(this.problem, this.file);
    this.draw();
    this.on.changed();
  }

  /**
   * Takes a file that is on the server.
   * @param {object} sent @param {{name?: string, adds?: boolean, picked?: number|null}} how
   */
  take(sent, { name = sent.name, adds = false, picked = null } = {}) {
    check(this.name, sent.kind, name);
    if (this.name === "audio" && !sent.media.sound) throw new Problem({ detail: `“${name}” has no sound.`, remedy: "Choose a recording, or a video with sound." });
    const entry = { upload: sent, name };
    if (adds) this.entries = [...this.entries.filter((one) => one.upload.id !== sent.id), entry].slice(0, this.most);
    else this.entries = [entry];
    this.picked = picked;
    settle(this.problem, this.file);
    this.draw();
    this.on.changed();
    this.on.look(this);
  }

  /** Takes uploads by their names, those that are still there. @param {{id: string, name?: string}[]} known */
  async restore(known, picked = null) {
    for (const [index, { id, name }] of known.entries()) {
      try {
        const sent = await call("GET", `/api/v1/uploads/${id}`);
        this.take(sent, { name: name ?? sent.name, adds: index > 0, picked });
      } catch (problem) {
        this.refuse(problem.status === 404 ? new Problem({ detail: `“${name ?? "The file"}” has been deleted.`, remedy: "Choose it again." }) : problem);
      }
    }
  }

  /** Hears of a job; if it is the look into one of these files, shows how far it is. */
  heard(job) {
    const entry = this.entries.find((one) => one.upload.inspection?.id === job.id);
    if (!entry || job.revision < entry.upload.inspection.revision) return;
    entry.upload.inspection = job;
    this.draw();
    this.on.changed();
    this.on.look(this, false);
  }

  get shown() {
    const view = this.upload?.inspection?.result?.view;
    return this.byPhoto ? null : this.picked ?? (view ? mainFace(view) : null);
  }

  draw() {
    const thumbs = this.card.querySelector(".thumbs");
    const hint = this.card.querySelector(".row .hint");
    this.card.querySelector(".row-action").textContent = this.upload ? "Change" : "Choose";
    this.card.classList.toggle("chosen", Boolean(this.upload));
    if (this.add) this.add.hidden = !this.upload || this.entries.length >= this.most;
    if (!this.upload) {
      thumbs.innerHTML = this.empty;
      hint.textContent = hint.dataset.empty;
      this.card.querySelector(".detail").replaceChildren();
      return this.remark([]);
    }
    const picture = thumbnail(this.upload, this.name === "source" ? this.shown : null);
    if (picture) thumbs.replaceChildren(picture);
    else thumbs.innerHTML = this.empty;
    if (this.entries.length > 1) thumbs.append(make("span", { className: "count", textContent: this.entries.length }));
    const { media } = this.upload;
    const facts = [];
    if (this.name !== "source" && media.seconds != null) facts.push(duration(media.seconds));
    if (this.name === "target" && this.upload.kind === "video") facts.push(media.sound ? "with sound" : "no sound");
    // The name comes last: it is what may be cut off on a narrow screen.
    facts.push(this.entries.length > 1 ? `${this.entries.length} photos` : this.entries[0].name);
    hint.textContent = facts.join(" · ");
    hint.title = this.entries.map((entry) => entry.name).join(", ");
    if (this.name === "audio") this.drawSound();
    else this.drawPictures();
  }

  drawSound() {
    const detail = this.card.querySelector(".detail");
    if (detail.dataset.shown !== this.id || !detail.firstChild) {
      detail.dataset.shown = this.id;
      detail.replaceChildren(make("audio", { controls: true, src: this.upload.content, preload: "metadata", attributes: { "aria-label": `The words: ${this.entries[0].name}` } }));
    }
    this.remark([this.upload.media.sound.silent ? ["warn", "Nothing is heard in it: the mouth would stay closed. Was the microphone muted?"] : ["good", "Sound found."]]);
  }

  drawPictures() {
    const parts = [];
    const people = this.upload.inspection?.result?.people ?? [];
    if (people.length > 1 && this.entries.length === 1) {
      parts.push(choice(this.upload, this.shown, `${this.name}-person`, (number) => {
        this.picked = number;
        this.draw();
        this.card.querySelector(`.people input[value="${number}"]`)?.focus();
        this.on.changed();
        this.on.look(this, false);
      }));
    }
    if (this.entries.length > 1) parts.push(this.photos());
    this.card.querySelector(".detail").replaceChildren(...parts);
    this.remark(this.entries.flatMap((entry) => remarksOn(entry.upload, this.entries.length === 1 ? this.shown : null, this.name)
      .map(([kind, text]) => [kind, this.entries.length > 1 && kind !== "good" ? `“${entry.name}”: ${text}` : text]))
      .filter((one, index, all) => one[0] !== "good" || all.findIndex((other) => other[1] === one[1]) === index));
  }

  /** All photos of the person. */
  photos() {
    return make("ul", { className: "photos", attributes: { "aria-label": "Photos of this person" } }, ...this.entries.map((entry) => {
      const picture = thumbnail(entry.upload, null) ?? make("img");
      picture.alt = entry.name;
      return make("li", {}, picture, button("✕", () => {
        this.entries = this.entries.filter((one) => one !== entry);
        this.draw();
        this.on.changed();
        this.file.focus();
      }, { attributes: { "aria-label": `Leave out ${entry.name}` } }));
    }));
  }

  /** The option that names the person picked; nothing where the program's own choice is meant. */
  get person() {
    const found = this.upload?.inspection?.result;
    if (this.byPhoto || this.entries.length !== 1 || !found?.people || found.people.length < 2 || !found.view) return null;
    if (this.name === "source") return String(found.left_to_right.indexOf(this.shown) + 1);
    return String(this.shown);
  }

  /** Whether what is known speaks against using it. */
  get isUnusable() {
    return this.entries.some(({ upload: { inspection } }) => inspection?.state === "failed"
      || (inspection?.state === "done" && !inspection.result.people.some((person) => person.usable)));
  }

  remark(remarks) {
    const list = this.card.querySelector(".remarks");
    const items = remarks.map(([kind, text]) => make("li", { className: kind, textContent: text }));
    if (list.textContent !== items.map((item) => item.textContent).join("")) list.replaceChildren(...items);
  }

  /** Offers what was sent before. @param {object[]} uploads the newest first */
  offer(uploads) {
    const fit = uploads.filter((one) => KINDS[this.name].takes.includes(one.kind) && (this.name !== "audio" || one.media.sound));
    const place = this.card.querySelector(".earlier");
    place.hidden = !fit.length;
    place.querySelector("ul").replaceChildren(...fit.map((one) => {
      const item = button("", async () => {
        place.open = false;
        await this.restore([{ id: one.id, name: one.name }]);
        this.file.focus();
      }, { title: one.name });
      item.append(thumbnail(one, null) ?? make("span", { className: "blank" }), make("span", { className: "what", textContent: one.name }),
        make("span", { className: "hint", textContent: one.media.seconds == null ? "" : duration(one.media.seconds) }));
      return make("li", {}, item);
    }));
  }
}
