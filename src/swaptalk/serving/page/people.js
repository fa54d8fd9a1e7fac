// Several people of one scene: those that are done with, and the one that the form is about.

import { Problem } from "./api.js";
import { button, byId, make } from "./dom.js";

/** A line of who speaks when: start, end, person. */
const TURN = /^([\d.]+)\s*[,;\s]\s*([\d.]+)\s*[,;\s]\s*(?:person\s+(?=\d+$))?(.+)$/i;

export class People {
  /**
   * @param {{source: object, target: object, audio: object, likeness: object}} inputs of the form
   * @param {{keepsFace: () => boolean, keepsWords: () => boolean, changed: () => void}} form
   */
  constructor(inputs, form) {
    Object.assign(this, inputs, { form });
    this.entries = [];  // {face or like, source, source_face, audio, name, text}
    this.card = byId("people");
    byId("another").addEventListener("click", () => this.put());
    byId("share").addEventListener("change", () => form.changed());
    byId("turns").addEventListener("input", () => form.changed());
  }

  /** Whether all speak in one recording, by turns. */
  get shares() { return !this.card.hidden && byId("share").checked; }

  /** What the form says of the person picked in the scene; null where it changes nothing. */
  get current() {
    const source = this.form.keepsFace() ? [] : this.source.ids;
    const audio = this.form.keepsWords() || this.shares ? null : this.audio.id;
    if (!source.length && !audio && !this.shares) return null;
    const named = [source.length ? this.source.entries[0].name : null, audio ? this.audio.entries[0].name : null].filter(Boolean);
    const given = { source, audio, source_face: (source.length && this.source.person) || null };
    if (this.likeness.id) return { ...given, like: this.likeness.id, name: this.likeness.name, text: [this.likeness.name, ...named].join(": ") };
    const face = this.target.person ?? "largest";
    return { ...given, face, text: [face === "largest" ? "Largest face" : `Person ${face}`, ...named].join(": ") };
  }

  /** Whether the job is given as people, and not as one face. */
  get isAsked() { return this.entries.length > 0 || Boolean(this.likeness.id) || this.shares; }

  /** What the API takes of them. @throws {Problem} if the turns cannot be read */
  get asked() {
    const people = [...this.entries, this.current].filter(Boolean).map(({ text: _, ...entry }) => (this.shares ? { ...entry, audio: null } : entry));
    return this.shares ? { people, audio: this.audio.id, turns: this.turns } : { people };
  }

  get turns() {
    const lines = byId("turns").value.split("\n").map((line) => line.trim()).filter((line) => line && !/^start/i.test(line));
    return lines.map((line) => {
      const [, start, end, person] = TURN.exec(line) ?? [];
      if (!person || Number.isNaN(Number(start)) || Number.isNaN(Number(end))) {
        throw new Problem({ detail: `“${line}” does not say who speaks when.`, remedy: "Write start and end in seconds, and the person: 0, 4.2, person 1.", field: "turns" });
      }
      return { start: Number(start), end: Number(end), person };
    });
  }

  /** Whether the person picked in the scene has been done with. */
  get isTwice() {
    const { current } = this;
    return Boolean(current) && this.entries.some((one) => (current.like ? one.like === current.like : one.face === current.face));
  }

  /** Puts the form's person aside and makes room for another. */
  put() {
    if (!this.current || this.isTwice) return this.form.changed();
    this.entries.push(this.current);
    this.source.clear();
    if (!this.shares) this.audio.clear();
    if (this.likeness.id) this.likeness.take(null);
    this.draw();
    this.form.changed();
    this.source.file.focus();
  }

  /** @param {object[]} entries as they were, with or without a text @param {object[]|string} turns */
  restore(entries, turns = "") {
    this.entries = entries.map((one) => ({ text: one.name ?? `Person ${one.face ?? "by photo"}`, source: [], ...one }));
    byId("turns").value = typeof turns === "string" ? turns : turns.map((one) => `${one.start}, ${one.end}, ${one.person}`).join("\n");
    byId("share").checked = byId("turns").value !== "";
    this.draw();
  }

  draw() {
    const found = this.target.upload?.inspection?.result?.people ?? [];
    this.card.hidden = found.length < 2 && !this.entries.length;
    byId("turns-field").hidden = !this.shares;
    byId("another").disabled = !this.current || this.isTwice;
    this.card.querySelector("ul").replaceChildren(...this.entries.map((entry) => make("li", {}, make("span", { textContent: entry.text }), button("✕", () => {
      this.entries = this.entries.filter((one) => one !== entry);
      this.draw();
      this.form.changed();
      byId("another").focus();
    }, { attributes: { "aria-label": `Leave out ${entry.text}` } }))));
  }
}
