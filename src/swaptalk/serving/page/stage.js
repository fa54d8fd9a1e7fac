// The large picture: what was chosen, what is being made, and what came of it.

import { call } from "./api.js";
import { Comparison } from "./compare.js";
import { byId, button, make, show } from "./dom.js";
import { runs } from "./jobs.js";
import { Preview } from "./preview.js";
import { facts, outlined, warningsOf } from "./seen.js";
import { duration, percent, size, stateOf } from "./words.js";

const VIEWS = { photo: "Photo", scene: "Scene", preview: "Preview", result: "Result" };

export class Stage {
  /** @param {{source: object, target: object}} inputs @param {{moment: Function, again: Function, failed: Function, title: Function}} on */
  constructor(inputs, on) {
    this.inputs = inputs;
    this.on = on;
    this.job = null;
    this.view = "empty";
    this.spokenTenth = -1;
    this.has = { photo: false, scene: false, preview: false, result: false };
    this.preview = new Preview(byId("view-preview"), (seconds) => on.moment(seconds));
    byId("cancel").addEventListener("click", () => call("POST", `/api/v1/jobs/${this.job.id}/cancel`).then((job) => this.heard(job), on.failed));
  }

  say(text) { byId("spoken").textContent = text; }

  /** Shows one of the views and buttons for all there are. */
  turn(view) {
    this.view = view;
    for (const name of ["empty", ...Object.keys(VIEWS)]) byId(`view-${name}`).hidden = name !== view;
    const known = Object.keys(VIEWS).filter((name) => this.has[name]);
    const place = byId("views");
    place.hidden = known.length < 2;
    place.replaceChildren(...known.map((name) => button(VIEWS[name], () => {
      this.turn(name);
      byId("views").querySelector("[aria-pressed=true]").focus();
    }, { attributes: { "aria-pressed": String(name === view) } })));
    if (!this.isShown(this.job)) byId("stage-title").textContent = { photo: "Who", scene: "Scene", empty: "Your video" }[view] ?? byId("stage-title").textContent;
    if (view !== "result" && view !== "preview") for (const player of byId("view-result").querySelectorAll("video")) player.pause();
    this.progress();
  }

  isShown(job) { return Boolean(job) && (runs(job) || this.view === "preview" || this.view === "result"); }

  /** An input was chosen or understood further. @param {boolean} turns whether to show it */
  look(input, turns = true) {
    const name = { source: "photo", target: "scene" }[input.name];
    if (!name) return;
    this.has[name] = Boolean(input.upload);
    const isNew = input.id !== byId(`view-${name}`).dataset.shown;
    if (input.upload) this[name === "photo" ? "drawPhotos" : "drawScene"](input, isNew);
    const warned = name === "photo" && input.entries.some((entry) => warningsOf(entry.upload).length);
    if (this.job && runs(this.job)) return this.turn(this.view);
    if ((turns && input.upload) || (warned && this.view === "scene")) this.turn(name);
    else this.turn(input.upload || this.view !== name ? this.view : "empty");
  }

  drawPhotos(input, isNew) {
    const place = byId("view-photo");
    if (isNew) place.dataset.shown = input.id;
    const warnings = input.entries.flatMap((entry) => warningsOf(entry.upload));
    const parts = [outlined(input.upload, input.entries[0].name, input.shown)];
    if (warnings.length) {
      parts.push(make("ul", { className: "concerns", attributes: { "aria-label": "What will look bad" } },
        ...warnings.map((one) => make("li", {}, make("strong", { textContent: `${one.message} ` }), one.remedy))));
    }
    parts.push(make("p", { className: "facts", textContent: facts(input.upload, input.entries[0].name) }));
    place.replaceChildren(...parts);
  }

  drawScene(input, isNew) {
    const place = byId("view-scene");
    if (!isNew && place.querySelector("video")) return;  // somebody is watching it
    place.dataset.shown = input.id;
    const { upload } = input;
    const picture = outlined(upload, input.entries[0].name, input.shown);
    const tools = make("div", { className: "tools" }, make("p", { className: "facts", textContent: facts(upload, input.entries[0].name) }));
    if (upload.kind === "video") {
      tools.prepend(button("Play the scene", () => {
        const video = make("video", { src: upload.content, controls: true, playsInline: true, attributes: { "aria-label": `The scene: ${input.entries[0].name}` } });
        picture.replaceChildren(video);
        video.addEventListener("ended", () => this.drawScene(input, true));
        video.addEventListener("error", () => {
          this.drawScene(input, true);
          place.querySelector(".tools button").replaceWith(make("p", { className: "facts", textContent: "This browser cannot play this kind of video; it can be used all the same.", attributes: { role: "status" } }));
        });
        video.play().catch(() => {});
        tools.querySelector("button").remove();
        video.focus();
      }));
    }
    place.replaceChildren(picture, tools);
  }

  /** Shows a job: its progress, its result, or why there is none. @param {boolean} scrolls */
  async open(job, scrolls = true) {
    this.job = job;
    this.spokenTenth = -1;
    if (job.state === "done") await this.finish(false);
    else this.turn(runs(job) && job.kind === "preview" && (job.request.at ?? null) !== null ? "preview" : "none");
    if (scrolls) this.reveal();
    byId("stage-title").focus({ preventScroll: true });
  }

  reveal() {
    const box = byId("stage").getBoundingClientRect();
    if (box.top < 0 || box.top > innerHeight * 0.3) byId("stage").scrollIntoView({ block: "start" });
  }

  get looksForFaces() {
    return Object.values(this.inputs).some((input) => input.entries.some(({ upload }) => upload.inspection && runs(upload.inspection)));
  }

  /** The scene while something is made of it; as long as the server has not looked at it, its own beginning. */
  drawMeanwhile(id) {
    const { upload } = this.inputs.target;
    const content = upload?.id === id && !upload.inspection?.result?.view ? upload.content : null;
    const source = content ?? `/api/v1/uploads/${id}/picture`;
    const place = byId("meanwhile");
    if (place.dataset.shown === source) return;
    place.dataset.shown = source;
    const picture = content && upload.kind === "video" ? make("video", { src: source, muted: true, playsInline: true, preload: "metadata" }) : make("img", { src: source, alt: "" });
    picture.addEventListener("error", () => picture.remove());
    place.replaceChildren(picture);
  }

  /** Title, bar and reason of the job. */
  progress() {
    const job = this.job;
    const running = Boolean(job) && runs(job);
    const failed = Boolean(job) && this.view === "none" && ["failed", "cancelled"].includes(job.state);
    byId("running").hidden = !running && !failed;
    byId("running").classList.toggle("slim", this.view !== "none");
    byId("running").classList.toggle("over", failed);
    byId("failure").classList.toggle("calm", job?.state === "cancelled");
    this.preview.isBusy = running && job.kind === "preview";
    if (running || failed) this.drawMeanwhile(job.request.target);
    const ended = job?.state === "cancelled" ? { title: "Cancelled", detail: "Nothing was kept of it." } : job?.error;
    show(byId("failure"), failed ? ended : null);
    if (!job || !(this.view === "none" || this.isShown(job))) return;
    byId("stage-title").textContent = job.kind === "preview" ? "Preview" : running ? "Making your video" : this.on.title(job);
    byId("bar").value = job.progress;
    byId("status").textContent = job.state === "queued" && this.looksForFaces ? "Looking for faces first" : stateOf(job);
    byId("cancel").disabled = job.cancelling;
    const tenth = Math.floor(job.progress * 10);
    if (running && tenth !== this.spokenTenth) {
      this.spokenTenth = tenth;
      this.say(`${byId("stage-title").textContent}: ${percent(job.progress)}`);
    }
  }

  heard(job) {
    if (this.job?.id !== job.id || job.revision < this.job.revision) return;
    const wasDone = this.job.state === "done";
    this.job = job;
    if (job.state === "done" && !wasDone) return this.finish(true);
    if (!runs(job) && this.view === "preview" && job.state !== "done") this.turn("none");
    this.progress();
  }

  removed(id) {
    if (this.job?.id !== id) return;
    this.job = null;
    this.has.result = false;
    this.turn(this.has.scene ? "scene" : this.has.photo ? "photo" : "empty");
  }

  async finish(isNews) {
    const job = this.job;
    if (job.kind === "preview") {
      this.preview.show(job);
      this.has.preview = true;
      this.turn("preview");
      this.say("The preview is ready.");
    } else {
      const scene = await call("GET", `/api/v1/uploads/${job.request.target}`).catch(() => null);  // deleted: the result is shown alone
      if (this.job !== job) return;
      this.drawResult(job, scene);
      this.has.result = true;
      this.turn("result");
      this.say("Your video is ready.");
    }
    if (isNews) this.reveal();
  }

  drawResult(job, scene) {
    const left = Object.entries(job.result.passed_through ?? {}).map(([reason, count]) => `${percent(count / job.result.frames)} left as it was (${reason})`);
    const said = [duration(job.result.duration ?? 0), `${job.result.width} × ${job.result.height}`, size(job.result.bytes), ...left].join(" · ");
    const comparison = new Comparison(job, scene);
    const actions = make("div", { className: "tools" },
      make("a", { className: "button main", href: `${job.output}?download=true`, textContent: "Download" }),
      button("Make another with this scene", () => this.on.again(job)),
      make("p", { className: "facts", textContent: said }));
    byId("view-result").replaceChildren(...comparison.elements, actions);
    const { notes = [] } = job.result;
    if (notes.length) actions.before(make("ul", { className: "concerns", attributes: { "aria-label": "What was done to the inputs" } }, ...notes.map((textContent) => make("li", { textContent }))));
  }
}
