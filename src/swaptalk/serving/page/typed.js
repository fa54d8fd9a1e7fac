// Words that are typed and spoken by a voice of the server's machine.

import { call } from "./api.js";
import { byId, make } from "./dom.js";

const language = new Intl.DisplayNames([navigator.language, "en"], { type: "language", fallback: "code" });

function nameOf(code) {
  try {
    return language.of(code.replaceAll("_", "-"));
  } catch {
    return code;
  }
}

export class Typed {
  /** @param {object} audio the input that takes the words */
  constructor(audio) {
    this.audio = audio;
    this.voices = [];
    byId("speak").addEventListener("click", () => this.speak());
    byId("voice").addEventListener("change", () => this.terms());
  }

  /** Fills the menu with the voices that are installed, by language. */
  async load() {
    this.voices = (await call("GET", "/api/v1/voices")).voices;
    byId("way-type").hidden = !this.voices.length;
    const groups = new Map();
    for (const voice of this.voices) {
      const name = nameOf(voice.language);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(voice);
    }
    byId("voice").replaceChildren(...[...groups].sort((a, b) => a[0].localeCompare(b[0])).map(([name, voices]) => {
      const group = make("optgroup", { label: name });
      group.append(...voices.map((voice) => new Option(`${voice.name} (${voice.engine}${voice.restricted ? ", not for every use" : ""})`, voice.id)));
      return group;
    }));
    const speaks = (voice) => voice.language.startsWith(navigator.language.slice(0, 2));
    const isNatural = (voice) => voice.engine !== "espeak-ng";
    // The server names those last whose terms rule out some uses: none of them is taken by itself.
    const free = this.voices.filter((voice) => !voice.restricted);
    const own = free.find((voice) => speaks(voice) && isNatural(voice))
      ?? free.find((voice) => voice.language.toLowerCase() === navigator.language.toLowerCase()) ?? free.find(speaks) ?? free.find(isNatural);
    if (own) byId("voice").value = own.id;
    this.terms();
  }

  terms() { byId("voice-terms").textContent = this.voices.find((voice) => voice.id === byId("voice").value)?.terms ?? ""; }

  async speak() {
    const speak = byId("speak");
    speak.disabled = true;
    speak.textContent = "Speaking …";
    try {
      this.audio.take(await call("POST", "/api/v1/speech", { text: byId("text").value, voice: byId("voice").value }));
    } catch (problem) {
      this.audio.refuse(problem);
    } finally {
      speak.disabled = false;
      speak.textContent = "Speak it";
    }
  }
}
