// The result over (or beside) the scene: one clock, a slider between before and after, a closer look at the face.

import { button, make } from "./dom.js";
import { duration } from "./words.js";

/** Further apart than this (seconds) the two are brought together. */
const TOLERANCE = 0.08;
/** The face takes this share of the picture's height when it is looked at closely. */
const FACE_SHARE = 0.75;

/** Where the scene is when the result is at `time`: it plays back and forth if the words are longer. */
export function sceneTime(time, length, start, extend) {
  if (!Number.isFinite(length) || length <= 0) return start;
  if (extend === "freeze") return start + Math.min(time, length);
  const phase = time % (2 * length);
  return start + (phase <= length ? phase : 2 * length - phase);
}

/** Centre and height of a face at a time of the scene, as shares of the picture. @param {number[][]} track [seconds, x, y, size] */
export function faceAt(track, seconds) {
  const next = track.findIndex((one) => one[0] >= seconds);
  if (next <= 0) return track.at(next === 0 ? 0 : -1).slice(1);
  const [before, after] = [track[next - 1], track[next]];
  const share = (seconds - before[0]) / (after[0] - before[0] || 1);
  return [1, 2, 3].map((index) => before[index] + share * (after[index] - before[index]));
}

export class Comparison {
  /**
   * @param {object} job a finished render
   * @param {object|null} target upload of the scene, if it is still there
   */
  constructor(job, target) {
    this.options = job.request.options;
    const kind = job.result.file.split(".").at(-1);
    this.isPicture = !["mp4", "webm"].includes(kind);
    // No browser plays ProRes: a picture of it stands for it.
    this.after = this.isPicture ? make("img", { src: kind === "mov" ? job.poster : job.output, alt: "The result" })
      : make("video", { src: job.output, playsInline: true, preload: "auto", poster: job.poster ?? "" });
    this.after.setAttribute("aria-label", "The result");
    this.stage = make("div", { className: "compare" }, make("div", { className: "pane after" }, this.after));
    if (job.result.width) this.stage.style.setProperty("--shape", `${job.result.width} / ${job.result.height}`);
    // A crop moves over the scene, and an animated picture has no clock: the scene cannot be laid over them.
    if (target && !job.request.options.crop && ["mp4", "webm", "png"].includes(kind)) {
      this.before = target.kind === "photo" ? make("img", { src: target.content, alt: "The scene before" })
        : make("video", { src: target.content, muted: true, playsInline: true, preload: "auto" });
      this.stage.append(make("div", { className: "pane before" }, this.before), make("div", { className: "edge" }));
      this.track = this.trackOf(target.inspection?.result?.people ?? []);
    }
    this.isClose = false;
    // A scene that the browser cannot play: the result is shown alone.
    this.before?.addEventListener("error", () => { this.stage.querySelectorAll(".before, .edge").forEach((one) => one.remove()); this.tools.at(-1).remove(); });
    this.tools = [];
    if (!this.isPicture) this.tools.push(make("div", { className: "tools" }, ...this.controls()));
    if (this.before) this.tools.push(make("div", { className: "tools looks" }, ...this.looks()));
    new ResizeObserver(() => this.place()).observe(this.stage);
    for (const pane of [this.after, this.before]) for (const kind of ["loadedmetadata", "load"]) pane?.addEventListener(kind, () => this.place());
  }

  get elements() { return [this.stage, ...this.tools]; }

  trackOf(people) {
    const wanted = Number(this.options.face);
    const person = people.find((one) => one.number === wanted) ?? people.reduce((most, one) => (one.frames > (most?.frames ?? 0) ? one : most), null);
    return person?.track?.length ? person.track : null;
  }

  /** The time of the scene that the result shows now. */
  get due() {
    const start = this.options.start ?? 0;
    const moving = this.before instanceof HTMLVideoElement;
    const length = moving ? (this.options.end ?? this.before.duration) - start : 0;
    return sceneTime(this.isPicture ? 0 : this.after.currentTime, length, start, this.options.extend);
  }

  /** Brings both pictures to the same moment and place. */
  together() {
    if (this.before instanceof HTMLVideoElement && this.before.readyState > 0 && !this.isPicture) {
      const start = this.options.start ?? 0;
      const length = (this.options.end ?? this.before.duration) - start;
      if (Math.abs(this.before.currentTime - this.due) > TOLERANCE && !this.before.seeking) this.before.currentTime = this.due;
      const forward = this.options.extend === "freeze" ? this.after.currentTime < length : this.after.currentTime % (2 * length) <= length;
      if (!this.after.paused && forward && this.before.paused) this.before.play().catch(() => {});
      if ((this.after.paused || !forward) && !this.before.paused) this.before.pause();
    }
    if (this.seek) {
      this.seek.value = this.after.duration ? this.after.currentTime / this.after.duration : 0;
      this.seek.setAttribute("aria-valuetext", duration(this.after.currentTime));
      this.clock.textContent = `${duration(this.after.currentTime)} of ${duration(this.after.duration || 0)}`;
      if (!this.after.paused) requestAnimationFrame(() => this.together());
    }
    if (this.isClose) this.place();
  }

  /** Moves the pictures so that the face is large, or back. */
  place() {
    for (const one of [this.after, this.before]) {
      if (!one) continue;
      if (!this.isClose || !this.track) { one.style.transform = ""; continue; }
      const box = one.parentElement.getBoundingClientRect();
      const [width, height] = [one.videoWidth || one.naturalWidth, one.videoHeight || one.naturalHeight];
      if (!width) continue;
      const fit = Math.min(box.width / width, box.height / height);
      const [x, y, size] = faceAt(this.track, this.due);
      const scale = Math.max(1, FACE_SHARE * box.height / (size * height * fit));
      const left = (box.width - width * fit) / 2 + x * width * fit;
      const top = (box.height - height * fit) / 2 + y * height * fit;
      one.style.transform = `translate(${box.width / 2 - left * scale}px, ${box.height / 2 - top * scale}px) scale(${scale})`;
    }
  }

  controls() {
    const play = button("Play", () => (this.after.paused ? this.after.play() : this.after.pause()));
    this.seek = make("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0, attributes: { "aria-label": "Position" } });
    this.clock = make("span", { className: "clock" });
    this.seek.addEventListener("input", () => { this.after.currentTime = this.seek.value * (this.after.duration || 0); });
    for (const kind of ["play", "pause", "seeked", "loadedmetadata", "ended"]) {
      this.after.addEventListener(kind, () => { play.textContent = this.after.paused ? "Play" : "Pause"; this.together(); });
    }
    this.before?.addEventListener("loadedmetadata", () => this.together());
    return [play, make("label", { className: "long" }, this.seek), this.clock];
  }

  looks() {
    const split = make("input", { type: "range", min: 0, max: 100, value: 50 });
    split.addEventListener("input", () => this.stage.style.setProperty("--split", `${split.value}%`));
    const label = make("label", { className: "long" }, "Before – after", split);
    const beside = make("input", { type: "checkbox" });
    beside.addEventListener("change", () => {
      this.stage.classList.toggle("beside", beside.checked);
      label.hidden = beside.checked;
      this.place();
    });
    const parts = [label, make("label", {}, beside, " Side by side")];
    if (this.track) {
      const close = make("input", { type: "checkbox" });
      close.addEventListener("change", () => { this.isClose = close.checked; this.place(); });
      parts.push(make("label", {}, close, " Zoom to face"));
    }
    return parts;
  }
}
