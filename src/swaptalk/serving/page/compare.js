// The result over (or beside) the scene: one clock, a slider between before and after.

import { duration } from "./words.js";

/** Further apart than this (seconds) the two are brought together. */
const TOLERANCE = 0.08;

function make(kind, properties = {}, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

/** Where the scene is when the result is at `time`: it plays back and forth if the words are longer. */
export function sceneTime(time, length, start, extend) {
  if (!Number.isFinite(length) || length <= 0) return start;
  if (extend === "freeze") return start + Math.min(time, length);
  const phase = time % (2 * length);
  return start + (phase <= length ? phase : 2 * length - phase);
}

/** @param {HTMLElement} place @param {object} job @param {object|null} target upload of the scene, if it is still there */
export function showResult(place, job, target) {
  const isPicture = job.result.file.endsWith(".png");
  const after = isPicture ? make("img", { src: job.output, alt: "The result" })
    : make("video", { src: job.output, playsInline: true, preload: "auto" });
  after.className = "after";
  const stage = make("div", { className: "compare" }, after);
  const parts = [stage];
  let before = null;
  if (target) {
    before = target.kind === "photo" ? make("img", { src: target.content, alt: "The scene before" })
      : make("video", { src: target.content, muted: true, playsInline: true, preload: "auto" });
    before.className = "before";
    stage.append(before, make("div", { className: "edge" }));
  }
  const player = make("div", { className: "player" });
  if (!isPicture) player.append(...controls(after, before, job.request.options));
  if (before) player.append(...comparison(stage));
  place.replaceChildren(...parts, player);
  place.hidden = false;
  return after;
}

function controls(after, before, options) {
  const play = make("button", { type: "button", textContent: "Play" });
  const seek = make("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0 });
  seek.setAttribute("aria-label", "Position");
  const clock = make("span", { className: "hint" });
  const start = options.start ?? 0;
  const moving = before instanceof HTMLVideoElement;

  function together() {
    if (moving && before.readyState > 0) {
      const length = (options.end ?? before.duration) - start;
      const due = sceneTime(after.currentTime, length, start, options.extend);
      if (Math.abs(before.currentTime - due) > TOLERANCE && !before.seeking) before.currentTime = due;
      const forward = after.currentTime % (2 * length) <= length;
      if (!after.paused && forward && before.paused) before.play().catch(() => {});
      if ((after.paused || !forward) && !before.paused) before.pause();
    }
    seek.value = after.duration ? after.currentTime / after.duration : 0;
    seek.setAttribute("aria-valuetext", duration(after.currentTime));
    clock.textContent = `${duration(after.currentTime)} of ${duration(after.duration || 0)}`;
    if (!after.paused) requestAnimationFrame(together);
  }

  play.addEventListener("click", () => (after.paused ? after.play() : after.pause()));
  seek.addEventListener("input", () => { after.currentTime = seek.value * (after.duration || 0); });
  for (const kind of ["play", "pause", "seeked", "loadedmetadata", "ended"]) {
    after.addEventListener(kind, () => { play.textContent = after.paused ? "Play" : "Pause"; together(); });
  }
  before?.addEventListener("loadedmetadata", together);
  return [play, make("label", {}, seek), clock];
}

function comparison(stage) {
  const split = make("input", { type: "range", min: 0, max: 100, value: 50 });
  split.addEventListener("input", () => stage.style.setProperty("--split", `${split.value}%`));
  const label = make("label", {}, "Before – after", split);
  const beside = make("input", { type: "checkbox" });
  beside.addEventListener("change", () => {
    stage.classList.toggle("beside", beside.checked);
    label.hidden = beside.checked;
  });
  return [label, make("span", {}, make("label", {}, beside, " Side by side"))];
}
