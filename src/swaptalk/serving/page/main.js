// Puts the parts of the page together.

import { Problem, call, listen, onKeyNeeded } from "./api.js";
import { showResult } from "./compare.js";
import { Input } from "./inputs.js";
import { JobList } from "./jobs.js";
import { setUpRecorder } from "./recorder.js";
import { duration, percent, show, size, stateOf } from "./words.js";

const byId = (id) => document.getElementById(id);
const STORED = "swaptalk.form";
/** How often a job is sent again when the server does not answer. */
const RETRIES = 3;
let about = {};
let current = null;
let spokenTenth = -1;
const names = new Map();

const source = new Input("source", changed, () => about);
const target = new Input("target", changed, () => about);
const audio = new Input("audio", changed, () => about);
const inputs = { source, target, audio };
const list = new JobList({ open, again, failed: notice, name: nameOf });

function notice(problem) {
  const place = byId("notice");
  show(place, problem);
  if (problem) place.scrollIntoView({ block: "nearest" });
}

function say(text) { byId("spoken").textContent = text; }

const way = () => document.querySelector("input[name=way]:checked").value;
const keepsFace = () => byId("keep-face").checked;
const keepsWords = () => way() === "keep";

/** What still has to be given, in words; empty when all is there. */
function missing(forRender) {
  const wanted = [];
  if (!keepsFace() && !source.id) wanted.push("a photo");
  if (!target.id) wanted.push("a scene");
  if (!keepsWords() && !audio.id) wanted.push("the words");
  if (keepsFace() && keepsWords()) return "Choose a new person or new words: otherwise nothing would change.";
  if (wanted.length) return `Still needed: ${wanted.join(", ")}.`;
  if ((!keepsFace() && source.isUnusable) || target.isUnusable) return "See the remarks above: a face is needed.";
  if (forRender && byId("consent").value.trim().length < 10) return "Say who agreed to this video.";
  return "";
}

function options() {
  const chosen = {};
  for (const field of byId("options").querySelectorAll("[name]")) {
    if (field.value === "" || (field.name === "strength" && field.value === "1")) continue;
    chosen[field.name] = ["start", "end", "strength"].includes(field.name) ? Number(field.value) : field.value;
  }
  if (target.person) chosen.face = target.person;
  if (!keepsFace() && source.person) chosen.source_face = source.person;
  return chosen;
}

function request(kind) {
  return {
    kind, target: target.id, source: keepsFace() ? [] : [source.id], audio: keepsWords() ? null : audio.id,
    options: options(), consent: kind === "render" ? byId("consent").value.trim() : null,
  };
}

/** The form was changed: note it for the next visit, and say what is missing. */
function changed() {
  if (!inputs.audio) return;
  for (const input of Object.values(inputs)) if (input.upload) names.set(input.id, input.upload.name);
  const words = audio.upload?.media.seconds;
  const scene = target.upload?.media.seconds;
  let hint = missing(false);
  if (!hint && words && scene && words > scene + 0.5 && !keepsWords()) {
    hint = `The words last ${duration(words)}, the scene ${duration(scene)}: it will play back and forth.`;
  }
  byId("missing").textContent = hint;
  sessionStorage.setItem(STORED, JSON.stringify({
    source: source.id, target: target.id, audio: audio.id, sourcePicked: source.picked, targetPicked: target.picked,
    keepsFace: keepsFace(), consent: byId("consent").value,
  }));
}

async function restore() {
  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  byId("keep-face").checked = Boolean(stored.keepsFace);
  byId("consent").value = stored.consent ?? "";
  for (const [name, input] of Object.entries(inputs)) {
    if (stored[name]) await input.restore(stored[name], stored[`${name}Picked`] ?? null);
  }
}

/** Sends a job; when no answer comes the same key goes along again, so that it is not made twice. */
async function send(job) {
  const key = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  for (let attempt = 0; ; attempt++) {
    try {
      return await call("POST", "/api/v1/jobs", job, { "Idempotency-Key": key });
    } catch (problem) {
      if (problem.status !== 0 || attempt === RETRIES) throw problem;
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
}

async function submit(kind) {
  notice(null);
  const lacking = missing(kind === "render");
  byId("missing").textContent = lacking;
  if (lacking) {
    const field = lacking.startsWith("Say who") ? byId("consent")
      : (!keepsFace() && !source.id ? source : !target.id ? target : audio).file;
    return field.focus();
  }
  const button = byId(kind);
  button.disabled = true;
  try {
    const job = await send(request(kind));
    list.heard(job);
    await open(job);
  } catch (problem) {
    notice(problem);
  } finally {
    button.disabled = false;
  }
}

/** Shows a job in the large place: its progress, its result, or why there is none. */
async function open(job) {
  current = job;
  spokenTenth = -1;
  byId("work").hidden = false;
  for (const id of ["result", "preview-result"]) byId(id).hidden = true;
  byId("result").replaceChildren();
  draw();
  byId("work").scrollIntoView({ behavior: "auto", block: "start" });
  byId("work-title").focus({ preventScroll: true });
  if (job.state === "done") await finish();
}

function draw() {
  const job = current;
  const runs = ["queued", "running"].includes(job.state);
  byId("work-title").textContent = { preview: "Preview", render: runs ? "Making your video" : "Your video" }[job.kind];
  byId("running").hidden = !runs;
  byId("bar").value = job.progress;
  byId("status").textContent = stateOf(job);
  byId("cancel").disabled = job.cancelling;
  const tenth = Math.floor(job.progress * 10);
  if (runs && tenth !== spokenTenth) {
    spokenTenth = tenth;
    say(`${byId("work-title").textContent}: ${percent(job.progress)}`);
  }
  const ended = job.state === "cancelled" ? { title: "Cancelled", detail: "Nothing was kept of it.", remedy: "" } : job.error;
  show(byId("failure"), runs ? null : ended);
}

async function finish() {
  const job = current;
  if (job.kind === "preview") {
    byId("preview-picture").src = job.output;
    byId("preview-result").hidden = false;
    return say("The preview is ready.");
  }
  let scene = null;
  try {
    scene = await call("GET", `/api/v1/uploads/${job.request.target}`);
  } catch { /* deleted: the result is shown alone */ }
  if (current !== job) return;
  const place = byId("result");
  showResult(place, job, scene);
  const left = Object.entries(job.result.passed_through ?? {}).map(([reason, count]) => `${percent(count / job.result.frames)} left as it was (${reason})`);
  const facts = document.createElement("p");
  facts.className = "hint";
  facts.textContent = [`${duration(job.result.duration ?? 0)}, ${job.result.width} × ${job.result.height}, ${size(job.result.bytes)}`, ...left].join("; ");
  const actions = Object.assign(document.createElement("div"), { className: "actions" });
  const save = Object.assign(document.createElement("a"), { className: "button", href: `${job.output}?download=true`, textContent: "Download" });
  const more = Object.assign(document.createElement("button"), { type: "button", textContent: "Make another with this scene" });
  more.addEventListener("click", () => again(job));
  actions.append(save, more);
  place.append(facts, actions);
  say("Your video is ready.");
}

/** Another photo or other words in the scene of an earlier job. */
async function again(job) {
  await target.restore(job.request.target, job.request.options.face ? Number(job.request.options.face) || null : null);
  const same = job.request.source[0];
  if (same && source.id !== same) await source.restore(same);
  audio.clear();
  byId("consent").value = job.consent?.statement ?? byId("consent").value;
  if (target.upload?.kind === "video") {
    // Analysed once more, aside: all further videos in this scene are made from that. If it fails they are made without.
    call("POST", "/api/v1/templates", { target: target.id }).catch(() => {});
  }
  audio.card.scrollIntoView({ block: "center" });
  audio.file.focus();
}

function nameOf(job) {
  const part = (id, otherwise) => (id ? names.get(id) ?? "a deleted file" : otherwise);
  return `${part(job.request.source[0], "Same person")} in ${part(job.request.target)}: ${part(job.request.audio, "same words")}`;
}

function heard(job) {
  for (const input of Object.values(inputs)) input.heard(job);
  list.heard(job);
  if (!["queued", "running"].includes(job.state)) learnAbout().catch(() => {});  // it takes room now, or none any more
  if (current?.id !== job.id || job.revision < current.revision) return;
  const wasDone = current.state === "done";
  current = job;
  draw();
  if (job.state === "done" && !wasDone) finish();
}

function removed(id) {
  list.removed(id);
  learnAbout().catch(() => {});
  if (current?.id === id) {
    current = null;
    byId("work").hidden = true;
  }
}

function showWay() {
  for (const part of document.querySelectorAll("[data-way]")) part.hidden = part.dataset.way !== way();
  audio.card.querySelector(".seen").hidden = keepsWords() || !audio.upload;
  changed();
}

async function speak() {
  const button = byId("speak");
  button.disabled = true;
  try {
    audio.clear();
    audio.take(await call("POST", "/api/v1/speech", { text: byId("text").value, language: byId("language").value.trim() }));
  } catch (problem) {
    audio.refuse(problem);
  } finally {
    button.disabled = false;
  }
}

function askForKey() {
  return new Promise((resolve) => {
    const dialog = byId("login");
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        await call("POST", "/api/v1/session", { key: byId("key").value.trim() });
        byId("key").value = "";
        show(byId("login-problem"), null);
        dialog.close();
        resolve();
      } catch (problem) {
        show(byId("login-problem"), problem);
      }
    };
  });
}

/** The limits, and how much room is in use by now. */
async function learnAbout() {
  about = await call("GET", "/api/v1/about");
  const limits = about.limits, version = about.version === "unknown" ? "" : ` ${about.version}`;
  byId("about").textContent = `SwapTalk${version}. Files up to ${size(limits.upload_bytes)} and ${duration(limits.seconds)}; `
    + `everything is deleted after ${limits.keep_days} days. ${size(about.used_bytes)} of ${size(limits.disk_bytes)} in use. Nothing leaves this server.`;
}

async function learnNames() {
  const known = (await call("GET", "/api/v1/uploads")).uploads;
  for (const one of known) names.set(one.id, one.name);
  const scenes = known.filter((one) => one.kind === "video");
  byId("scenes-field").hidden = !scenes.length;
  byId("scenes").replaceChildren(new Option("–", ""), ...scenes.map((one) => new Option(one.name, one.id)));
}

async function begin() {
  onKeyNeeded(askForKey);
  byId("make").addEventListener("submit", (event) => { event.preventDefault(); submit("render"); });
  byId("preview").addEventListener("click", () => submit("preview"));
  byId("cancel").addEventListener("click", () => call("POST", `/api/v1/jobs/${current.id}/cancel`).then(heard, notice));
  byId("keep-face").addEventListener("change", changed);
  byId("consent").addEventListener("input", changed);
  byId("speak").addEventListener("click", speak);
  byId("scenes").addEventListener("change", (event) => { if (event.target.value) target.restore(event.target.value); });
  for (const radio of document.querySelectorAll("input[name=way]")) radio.addEventListener("change", showWay);
  setUpRecorder((recording, name) => audio.send(recording, name), (text) => audio.refuse(new Problem({ detail: text })));
  // A file dropped beside a card must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

  await learnAbout();
  byId("way-type").hidden = !about.speech;
  byId("text").maxLength = about.speech_characters;
  await learnNames();
  const revision = await list.load();
  const unfinished = [...list.jobs.values()].find((job) => ["queued", "running"].includes(job.state));
  listen(revision, heard, removed, (well) => show(byId("connection"), well ? null : {
    title: "Connection lost", detail: "Trying to reach the server again. What is being made goes on without this page.",
  }));
  await restore();
  showWay();
  if (unfinished) await open(unfinished);
}

begin().catch(notice);
