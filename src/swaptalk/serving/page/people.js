// Several people of one scene: those that are done with, and the one that the form is about.

import { button, byId, make } from "./dom.js";

export class People {
  /**
   * @param {{source: object, target: object, audio: object}} inputs of the form
   * @param {{keepsFace: () => boolean, keepsWords: () => boolean, changed: () => void}} form
   */
  constructor(inputs, form) {
    Object.assign(this, inputs, { form });
    this.entries = [];  // {face, source, source_face, audio, text}
    this.card = byId("people");
    byId("another").addEventListener("click", () => this.put());
  }

  /** What the form says of the person picked in the scene; null where it changes nothing. */
  get current() {
    const source = this.form.keepsFace() ? [] : this.source.ids;
    const audio = this.form.keepsWords() ? null : this.audio.id;
    if (!source.length && !audio) return null;
    const named = [source.length ? this.source.entries[0].name : null, audio ? this.audio.entries[0].name : null].filter(Boolean);
    const face = this.target.person ?? "largest";
    return { face, source, audio, source_face: (source.length && this.source.person) || null, text: `${face === "largest" ? "Largest face" : `Person ${face}`}: ${named.join(", ")}` };
  }

  /** All of them as the API takes them; none where the form is about one person. */
  get asked() {
    if (!this.entries.length) return [];
    return [...this.entries, this.current].filter(Boolean).map(({ text: _, ...entry }) => entry);
  }

  /** Whether the person picked in the scene has been done with. */
  get isTwice() { return Boolean(this.current) && this.entries.some((one) => one.face === this.current.face); }

  /** Puts the form's person aside and makes room for another. */
  put() {
    if (!this.current || this.isTwice) return this.form.changed();
    this.entries.push(this.current);
    this.source.clear();
    this.audio.clear();
    this.draw();
    this.form.changed();
    this.source.file.focus();
  }

  /** @param {object[]} entries as they were, with or without a text */
  restore(entries) {
    this.entries = entries.map((one) => ({ text: `Person ${one.face ?? "by photo"}`, source: [], ...one }));
    this.draw();
  }

  draw() {
    const found = this.target.upload?.inspection?.result?.people ?? [];
    this.card.hidden = found.length < 2 && !this.entries.length;
    byId("another").disabled = !this.current || this.isTwice;
    this.card.querySelector("ul").replaceChildren(...this.entries.map((entry) => make("li", {}, make("span", { textContent: entry.text }), button("✕", () => {
      this.entries = this.entries.filter((one) => one !== entry);
      this.draw();
      this.form.changed();
      byId("another").focus();
    }, { attributes: { "aria-label": `Leave out ${entry.text}` } }))));
  }
}
