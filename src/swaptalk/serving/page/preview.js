// A preview: the face close up, before and after, at a few moments or any other.

import { button, make } from "./dom.js";
import { duration } from "./words.js";

export class Preview {
  /** @param {HTMLElement} place @param {(seconds: number) => void} ask makes a preview of one moment */
  constructor(place, ask) {
    this.place = place;
    this.ask = ask;
    this.frames = [];
    this.moment = null;
  }

  /** @param {object} job a finished preview; one of a single moment is added to the frames that are shown */
  show(job) {
    const { frames, length } = job.result;
    if (job.request.at === null || job.request.at === undefined) {
      this.frames = frames;
      this.moment = null;
    } else [this.moment] = frames;
    this.length = length;
    this.draw();
  }

  draw() {
    const shown = this.moment ? [this.moment] : this.frames;
    const closeups = make("div", { className: this.moment ? "closeups one" : "closeups", tabIndex: 0, attributes: { role: "group", "aria-label": "Close-ups of the face" } });
    for (const [kind, name] of [["before", "Before"], ["after", "After"]]) {
      const line = make("div", { className: "line", attributes: { "data-name": name } });
      for (const frame of shown) {
        line.append(make("img", { src: frame[`face_${kind}`] ?? frame[kind], alt: `${name}: ${frame.face ? "the face" : "the frame"} at ${duration(frame.time)}` }));
      }
      closeups.append(line);
    }
    const wholes = make("div", { className: "wholes", attributes: { role: "group", "aria-label": "Whole frames" } });
    for (const frame of this.frames) {
      const whole = button("", () => { this.moment = this.moment === frame ? null : frame; this.draw(); this.place.querySelectorAll(".wholes button")[this.frames.indexOf(frame)]?.focus(); },
        { attributes: { "aria-pressed": String(this.moment === frame), "aria-label": `Whole frame at ${duration(frame.time)}: show its face large` } });
      whole.append(make("img", { src: frame.after, alt: "" }));
      wholes.append(whole);
    }
    const time = this.moment?.time ?? this.scrubber?.valueAsNumber ?? 0;
    const clock = make("span", { className: "clock", textContent: `${duration(time)} of ${duration(this.length)}` });
    this.scrubber = make("input", { type: "range", min: 0, max: Math.max(0, this.length - 0.04).toFixed(2), step: 0.04, value: time });
    this.scrubber.setAttribute("aria-valuetext", duration(time));
    this.scrubber.addEventListener("input", () => { clock.textContent = `${duration(this.scrubber.valueAsNumber)} of ${duration(this.length)}`; });
    this.scrubber.addEventListener("change", () => this.ask(this.scrubber.valueAsNumber));
    const tools = make("div", { className: "tools" }, make("label", { className: "long" }, "Any moment", this.scrubber), clock);
    if (this.moment) tools.append(button("All moments", () => { this.moment = null; this.draw(); }));
    this.place.replaceChildren(closeups, wholes, tools);
  }

  /** Shows that another moment is being made. */
  set isBusy(busy) { this.place.querySelector(".closeups")?.classList.toggle("busy", busy); }
}
