// Puts the parts of the page together.

import { Problem, call, onKeyNeeded } from "./api.js";
import { Choices } from "./choices.js";
import { byId, complain, settle, show } from "./dom.js";
import { changes } from "./events.js";
import { Input } from "./inputs.js";
import { JobList, runs } from "./jobs.js";
import { Likeness } from "./likeness.js";
import { People } from "./people.js";
import { setUpRecorder } from "./recorder.js";
import { Stage } from "./stage.js";
import { Typed } from "./typed.js";
import { duration, size } from "./words.js";

const STORED = "swaptalk.form";
/** How often a job is sent again when the server does not answer. */
const RETRIES = 3;
/** Characters that a consent has at least, blanks around it not counted. */
const LEAST_CONSENT = 10;
let about = {};
let isRestored = false;

const on = { changed, limits: () => about.limits, look: (input, turns) => stage.look(input, turns) };
const source = new Input("source", on);
const target = new Input("target", on);
const audio = new Input("audio", on);
const choices = new Choices(() => { settle(byId("more-choices").querySelector(".problem")); changed(); });
const list = new JobList({ open: (job) => stage.open(job), again, retry, failed: (problem) => complain(byId("jobs-problem"), problem), title: titleOf });
const stage = new Stage({ source, target }, { moment, again, failed: refused, title: titleOf });
const typed = new Typed(audio);
const likeness = new Likeness(target, () => changed());
const people = new People({ source, target, audio, likeness }, { keepsFace: () => keepsFace(), keepsWords: () => keepsWords(), changed: () => changed() });

const way = () => document.querySelector("input[name=way]:checked").value;
const keepsFace = () => byId("keep-face").checked;
const keepsWords = () => way() === "keep";
const consent = () => byId("consent").value.trim();

/** What still has to be given: in words, and the control that takes it; null when all is there. */
function missing(forRender) {
  if (people.shares && !audio.id) return ["Still needed: the words.", audio.file];
  if (people.shares && !byId("turns").value.trim()) return ["Say who speaks when.", byId("turns")];
  if (people.isTwice) return ["This person of the scene has an entry already: pick another one.", target.file];
  if (people.shares || (people.entries.length && !people.current)) return target.id ? consentMissing(forRender) : ["Still needed: a scene.", target.file];
  if (keepsFace() && keepsWords()) return ["Choose a new person or new words: otherwise nothing would change.", byId("keep-face")];
  const wanted = [];
  if (!keepsFace() && !source.id) wanted.push(["a photo", source.file]);
  if (!target.id) wanted.push(["a scene", target.file]);
  if (!keepsWords() && !audio.id) wanted.push(["the words", way() === "record" ? byId("record") : way() === "type" ? byId("text") : audio.file]);
  if (wanted.length) return [`Still needed: ${wanted.map(([name]) => name).join(", ")}.`, wanted[0][1]];
  for (const input of keepsFace() ? [target] : [source, target]) if (input.isUnusable) return [`${input.title}: another file is needed, see there.`, input.file];
  return consentMissing(forRender);
}

function consentMissing(forRender) {
  return forRender && [...consent()].length < LEAST_CONSENT ? ["Say who agreed to this video.", byId("consent")] : null;
}

function options() {
  const { format: _, subtitles: __, ...chosen } = choices.values;
  if (people.isAsked) return chosen;
  if (target.person) chosen.face = target.person;
  if (!keepsFace() && source.person) chosen.source_face = source.person;
  return chosen;
}

function request(kind) {
  const one = { source: keepsFace() ? [] : source.ids, audio: keepsWords() ? null : audio.id };
  const who = people.isAsked ? people.asked : one;
  return {
    kind, target: target.id, ...who,
    format: choices.values.format ?? "mp4", subtitles: choices.values.subtitles ?? null, options: options(), consent: kind === "render" ? consent() : null, title: kind === "render" ? titleFrom(names()) : null,
  };
}

const plain = (name) => name.replace(/\.[a-z0-9]{2,5}$/i, "");

function names() {
  const first = (input) => input.entries[0]?.name ?? null;
  return { source: keepsFace() ? null : first(source), target: first(target), audio: keepsWords() ? null : first(audio) };
}

function titleFrom(said) {
  const words = said.audio ? `: ${plain(said.audio)}` : "";
  return `${said.source ? plain(said.source) : "Same person"} in ${said.target ? plain(said.target) : "a scene"}${words}`.slice(0, 200);
}

function titleOf(job) {
  const { names: known } = job.request;
  return job.title ?? titleFrom({ source: known?.source?.[0], target: known?.target, audio: known?.audio });
}

/** The form was changed: note it for the next visit, and say what is missing. */
function changed() {
  if (!isRestored) return;
  settle(byId("form-problem"));
  let hint = missing(false)?.[0] ?? "";
  const words = audio.upload?.media.seconds, scene = target.upload?.media.seconds;
  if (!hint && words && scene && words > scene + 0.5 && !keepsWords() && !choices.values.extend && !choices.values.length) {
    hint = `The words last ${duration(words)}, the scene ${duration(scene)}: it will play back and forth.`;
  }
  byId("missing").textContent = hint;
  people.draw();
  likeness.draw();
  source.card.classList.toggle("off", keepsFace());
  const entries = (input) => input.entries.map((entry) => ({ id: entry.upload.id, name: entry.name }));
  sessionStorage.setItem(STORED, JSON.stringify({
    source: entries(source), target: entries(target), audio: entries(audio), picked: { source: source.picked, target: target.picked },
    keepsFace: keepsFace(), way: way(), consent: byId("consent").value, text: byId("text").value, voice: byId("voice").value, choices: choices.values, people: people.entries,
    turns: people.shares ? byId("turns").value : "", like: likeness.id && { id: likeness.id, name: likeness.entry.name },
  }));
}

async function restore() {
  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  byId("keep-face").checked = Boolean(stored.keepsFace);
  byId("consent").value = stored.consent ?? "";
  byId("text").value = stored.text ?? "";
  if (stored.voice && [...byId("voice").options].some((one) => one.value === stored.voice)) byId("voice").value = stored.voice;
  const chosen = document.querySelector(`input[name=way][value="${stored.way ?? "file"}"]`);
  if (!chosen.parentElement.hidden) chosen.checked = true;
  choices.values = stored.choices ?? {};
  people.restore(stored.people ?? [], stored.turns);
  byId("more-choices").open = Object.keys(choices.values).length > 0;
  for (const input of [audio, source, target]) await input.restore(stored[input.name] ?? [], stored.picked?.[input.name] ?? null);
  await likeness.restore(stored.like?.id, stored.like?.name);
  typed.terms();
  isRestored = true;
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

/** Where a field of the API is on the page: the place for a complaint, and the control. */
function placeOf(field) {
  const [first, second] = field.split(".");
  const option = choices.controls.get(["format", "subtitles"].includes(first) ? first : second);
  if (option) {
    byId("more-choices").open = true;
    return [byId("more-choices").querySelector(".problem"), option];
  }
  if (field.endsWith(".like")) return [target.problem, likeness.file];
  if (first === "source" || second === "source_face") return [source.problem, source.file];
  if (first === "target" || second === "face") return [target.problem, target.file];
  if (first === "audio") return [audio.problem, audio.file];
  if (first === "turns") return [byId("people").querySelector(".problem"), byId("turns")];
  if (first === "people") return [byId("people").querySelector(".problem"), byId("another")];
  if (first === "consent") return [byId("consent-card").querySelector(".problem"), byId("consent")];
  return [byId("form-problem"), null];
}

/** Says what the server refused, each at its field, and goes to the first. */
function refused(problem) {
  const faults = problem.errors?.length > 1 ? problem.errors : [problem];
  const controls = faults.map((fault) => {
    const [place, control] = placeOf(fault.field ?? "");
    complain(place, fault, control);
    return control;
  });
  (controls.find(Boolean) ?? byId("render")).focus();
}

async function submit(kind, more = {}) {
  for (const place of document.querySelectorAll("#make .problem")) settle(place);
  for (const control of document.querySelectorAll("#make [aria-invalid]")) control.removeAttribute("aria-invalid");
  const lacking = missing(kind === "render");
  if (lacking) {
    const [text, control] = lacking;
    if (control.id === "consent") complain(byId("consent-card").querySelector(".problem"), { detail: text }, control);
    else byId("missing").textContent = text;
    control.focus();
    return control.scrollIntoView({ block: "center" });
  }
  const pressed = byId(kind);
  pressed.disabled = true;
  try {
    const job = await send({ ...request(kind), ...more });
    list.heard(job);
    await stage.open(job);
  } catch (problem) {
    refused(problem);
  } finally {
    pressed.disabled = false;
  }
}

/** A preview of one moment of what is chosen now. */
function moment(seconds) { submit("preview", { at: seconds }); }

/** Another photo or other words in the scene of an earlier job. */
async function again(job) {
  const { target: scene, options: { face = null, source_face: _, ...rest }, names: known, format, subtitles, turns } = job.request;
  // A single person is what the form is about; of several it begins with another one.
  const [one, ...others] = job.request.people;
  const only = one && !others.length && !turns.length ? one : null;
  const photos = only?.source ?? job.request.source;
  await target.restore([{ id: scene, name: known?.target }], Number(only?.face ?? face) || null);
  if (photos.length && photos.join() !== source.ids.join()) await source.restore(photos.map((id, index) => ({ id, name: known?.source?.[index] })));
  await likeness.restore(only?.like);
  people.restore(only ? [] : job.request.people, turns);
  byId("keep-face").checked = !photos.length && !people.entries.length;
  choices.values = { ...rest, ...(format === "mp4" ? {} : { format }), ...(subtitles ? { subtitles } : {}) };
  audio.clear();
  if (job.consent) byId("consent").value = job.consent.statement;
  changed();
  if (target.upload?.kind === "video") {
    // Analysed once more, aside: all further videos in this scene are made from that. If it fails they are made without.
    call("POST", "/api/v1/templates", { target: target.id }).catch(() => {});
  }
  audio.card.scrollIntoView({ block: "center" });
  audio.file.focus();
}

/** The same job once more. */
async function retry(job) {
  const { target: scene, source: photos, audio: words, people: given, turns, format, subtitles, options: chosen } = job.request;
  const same = { target: scene, source: photos, audio: words, people: given, turns, format, subtitles, options: chosen };
  const anew = await send({ kind: job.kind, ...same, consent: job.consent?.statement ?? null, title: titleOf(job) });
  list.heard(anew);
  await stage.open(anew);
}

async function example() {
  const pressed = byId("example");
  pressed.disabled = true;
  try {
    const given = await call("POST", "/api/v1/example");
    source.take(given.source);
    target.take(given.target);
    document.querySelector("input[name=way][value=file]").checked = true;
    byId("keep-face").checked = false;
    audio.take(given.audio);
    byId("consent").value = given.consent;
    showWay();
    await submit("preview");
  } catch (problem) {
    refused(problem);
  } finally {
    pressed.disabled = false;
  }
}

function showWay() {
  const now = way();
  for (const part of document.querySelectorAll("[data-way]")) part.hidden = part.dataset.way !== now;
  audio.card.classList.toggle("keeps", now === "keep");
  audio.card.dataset.now = now;
  settle(audio.problem, audio.file);
  changed();
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
        settle(byId("login-problem"), byId("key"));
        dialog.close();
        resolve();
      } catch (problem) {
        complain(byId("login-problem"), problem, byId("key"));
      }
    };
  });
}

/** The limits, and how much room is in use by now. */
async function learnAbout() {
  about = await call("GET", "/api/v1/about");
  const { limits } = about, version = about.version === "unknown" ? "" : ` ${about.version}`;
  byId("about").textContent = `SwapTalk${version}. Files up to ${size(limits.upload_bytes)} and ${duration(limits.seconds)}; `
    + `everything is deleted after ${limits.keep_days} days. ${size(about.used_bytes)} of ${size(limits.disk_bytes)} in use. Nothing leaves this server.`;
}

async function learnEarlier() {
  const { uploads } = await call("GET", "/api/v1/uploads");
  for (const input of [source, target, audio]) input.offer(uploads);
}

function heard(job) {
  for (const input of [source, target, audio, likeness]) input.heard(job);
  list.heard(job);
  stage.heard(job);
  if (runs(job)) return;
  learnAbout().catch(() => {});  // it takes room now, or none any more
  if (job.kind === "inspect") learnEarlier().catch(() => {});
}

function removed({ id }) {
  list.removed(id);
  stage.removed(id);
  learnAbout().catch(() => {});
}

function connection(well) {
  show(byId("connection"), well ? null : {
    title: "The server does not answer", detail: "Trying to reach it again. What is being made goes on without this page.",
  });
}

async function begin() {
  onKeyNeeded(askForKey);
  byId("make").addEventListener("submit", (event) => { event.preventDefault(); submit("render"); });
  byId("preview").addEventListener("click", () => submit("preview"));
  byId("example").addEventListener("click", example);
  byId("keep-face").addEventListener("change", changed);
  for (const id of ["consent", "text", "voice"]) byId(id).addEventListener("input", changed);
  for (const radio of document.querySelectorAll("input[name=way]")) radio.addEventListener("change", showWay);
  setUpRecorder((recording, name) => audio.send(recording, name), (text) => audio.refuse(new Problem({ detail: text })));
  // A file dropped beside an input must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

  await learnAbout();
  byId("text").maxLength = about.speech_characters;
  byId("example").hidden = !about.example;
  const listen = changes({ job: heard, removed, connection });
  const revision = await list.load();
  await Promise.all([typed.load(), learnEarlier()]);
  listen(revision);
  await restore();
  showWay();
  byId("make").dataset.ready = "true";
  const unfinished = [...list.jobs.values()].find(runs);
  if (unfinished) await stage.open(unfinished, false);
}

begin().catch((problem) => (problem.status === 0 ? show(byId("connection"), problem) : refused(problem)));
