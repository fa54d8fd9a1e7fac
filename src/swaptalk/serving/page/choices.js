// Further choices: the options of a job, their controls and values.

import { byId, make } from "./dom.js";
import { chosen } from "./words.js";

const select = (...options) => make("select", {}, ...options.map(([value, text]) => new Option(text, value)));
const number = (placeholder, more = {}) => make("input", { type: "number", min: 0, step: "any", placeholder, ...more });

/** Name of the option, label, control. An empty value is the usual one. */
const CHOICES = [
  ["start", "From second", () => number("0")],
  ["end", "To second", () => number("end")],
  ["length", "Length", () => select(["", "as the words"], ["video", "as the scene"], ["shortest", "the shorter"])],
  ["extend", "If the words are longer", () => select(["", "back and forth"], ["freeze", "last frame held"])],
  ["background", "Sound of the scene", () => select(["", "left out"], ["keep", "kept"], ["duck", "lowered"])],
  ["loudness", "Loudness (LUFS)", () => make("input", { type: "number", min: -40, max: -8, step: "any", placeholder: "as recorded" })],
  ["region", "What is replaced", () => select(["", "automatic"], ["face", "the whole face"], ["mouth", "mouth only"])],
  ["quality", "Quality", () => select(["", "high"], ["low", "low"], ["medium", "medium"], ["best", "best"])],
  ["resolution", "Height in pixels", () => make("input", { inputMode: "numeric", placeholder: "as the scene" })],
  ["fps", "Frames a second", () => make("input", { inputMode: "decimal", placeholder: "as the scene" })],
  ["crop", "Shape, following the face", () => select(["", "as the scene"], ["9:16", "9:16, upright"], ["1:1", "square"], ["16:9", "16:9, wide"])],
  ["format", "Kind of file", () => select(["", "MP4"], ["webm", "WebM"], ["mov", "MOV (ProRes)"], ["gif", "GIF, no sound"], ["webp", "animated WebP, no sound"])],
  ["codec", "Codec", () => select(["", "the usual one"], ["h264", "H.264"], ["hevc", "HEVC"], ["vp9", "VP9"], ["av1", "AV1"], ["prores", "ProRes"])],
  ["strength", "Likeness of the face", () => make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 1 })],
  ["subtitles", "Subtitles (.srt, .vtt)", () => make("textarea", { rows: 3, maxLength: 200_000, placeholder: "00:00:00,000 --> 00:00:02,500\nHello!" })],
  ["subtitles_as", "Show the subtitles", () => select(["", "in the player"], ["burn", "in the picture"])],
  ["keep_tracks", "Keep the scene’s further tracks", () => make("input", { type: "checkbox" })],
  ["label", "Show “AI-generated” in the picture", () => make("input", { type: "checkbox" })],
];
const NUMBERS = new Set(["start", "end", "strength", "loudness"]);

export class Choices {
  /** @param {() => void} changed */
  constructor(changed) {
    this.controls = new Map();
    this.place = byId("options");
    for (const [name, label, control] of CHOICES) {
      const made = control();
      made.name = name;
      made.addEventListener("input", () => { this.say(); changed(); });
      this.controls.set(name, made);
      const wide = made.type === "textarea" ? " wide" : "";
      this.place.append(made.type === "checkbox" ? make("label", { className: "check wide" }, made, ` ${label}`)
        : make("label", { className: `field${wide}` }, label, made));
      if (wide) this.place.append(this.fromFile(made));
    }
  }

  /** A control that fills a text from a file. */
  fromFile(text) {
    const file = make("input", { type: "file", accept: ".srt,.vtt,text/vtt" });
    file.addEventListener("change", async () => {
      if (!file.files.length) return;
      text.value = await file.files[0].text();
      file.value = "";
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    return make("label", { className: "add wide" }, file, " Subtitles from a file");
  }

  /** The options that are not the usual ones, as the API takes them; `format` and `subtitles` have fields of their own there. */
  get values() {
    const values = {};
    for (const [name, control] of this.controls) {
      if (control.type === "checkbox") { if (control.checked) values[name] = true; }
      else if (control.value.trim() !== "" && !(name === "strength" && control.value === "1")) values[name] = NUMBERS.has(name) ? Number(control.value) : control.value;
    }
    return values;
  }

  set values(values) {
    for (const [name, control] of this.controls) {
      if (control.type === "checkbox") control.checked = Boolean(values[name]);
      else control.value = values[name] ?? (name === "strength" ? 1 : "");
    }
    this.say();
  }

  /** What was chosen stands beside the title, also when the choices are folded. */
  say() { byId("chosen").textContent = chosen(this.values); }
}
