// Shows what was understood of a photo or video: the face outlined, the people to choose from, and what may go wrong.

import { duration, percent } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

function make(kind, properties = {}, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

/** The picture with the faces outlined; the picked one stands out. */
function picture(upload, view, picked, numbered) {
  const image = make("img", { src: `/api/v1/uploads/${upload.id}/picture?${view.frame}` });
  const faces = view.faces.length;
  image.alt = faces ? `${upload.name}: ${faces === 1 ? "one face" : `${faces} faces`} found and outlined` : upload.name;
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `0 0 ${view.width} ${view.height}`);
  drawing.setAttribute("aria-hidden", "true");
  for (const face of view.faces) {
    const group = document.createElementNS(SVG, "g");
    if (face.number === picked) group.classList.add("picked");
    const outline = document.createElementNS(SVG, "polygon");
    outline.setAttribute("points", face.oval.map(([x, y]) => `${x * view.width},${y * view.height}`).join(" "));
    group.append(outline);
    if (numbered && view.faces.length > 1) {
      const number = document.createElementNS(SVG, "text");
      const top = face.oval.reduce((a, b) => (b[1] < a[1] ? b : a));
      number.setAttribute("x", top[0] * view.width);
      number.setAttribute("y", Math.max(top[1] * view.height, view.height / 14));
      number.setAttribute("font-size", view.height / 14);
      number.textContent = numbered(face.number);
      group.append(number);
    }
    drawing.append(group);
  }
  const shown = make("div", { className: "shown" }, image, drawing);
  return shown;
}

/** Radio buttons with a small picture of everybody. */
function choice(upload, people, picked, label, onPick, name) {
  const fields = make("fieldset", { className: "people" }, make("legend", { textContent: "Whose face?" }));
  for (const person of people) {
    const radio = make("input", { type: "radio", name, value: person.number, checked: person.number === picked });
    radio.addEventListener("change", () => onPick(person.number));
    const face = make("img", { src: `/api/v1/uploads/${upload.id}/people/${person.number}`, alt: "" });
    fields.append(make("label", {}, face, radio, ` ${label(person)}`));
  }
  return fields;
}

/** What will not work, or not everywhere, with this person. */
export function remarksOnPerson(person, frames, isPhoto) {
  const remarks = [];
  if (isPhoto) {
    for (const reason of Object.keys(person.reasons)) remarks.push(["bad", `This face cannot be used: it is ${reason}.`]);
    if (!remarks.length) remarks.push(["good", "Face found."]);
    return remarks;
  }
  if (person.usable === frames) remarks.push(["good", "Face found in every frame."]);
  else remarks.push([person.usable ? "good" : "bad", `The face can be changed in ${percent(person.usable / frames)} of the video.`]);
  for (const [reason, count] of Object.entries(person.reasons)) {
    remarks.push(["warn", `Face ${reason} in ${percent(count / frames)}: those frames stay as they are.`]);
  }
  if (person.frames < frames) {
    remarks.push(["warn", `Not seen in ${percent((frames - person.frames) / frames)}: those frames stay as they are.`]);
  }
  return remarks;
}

/** Largest oval: whom the program would take by itself. */
export function mainFace(view) {
  const area = (face) => {
    const xs = face.oval.map((point) => point[0]);
    const ys = face.oval.map((point) => point[1]);
    return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
  };
  return view.faces.length ? view.faces.reduce((a, b) => (area(b) > area(a) ? b : a)).number : null;
}

/**
 * Shows an upload with pictures. Gives the remarks, each [good|warn|bad, text].
 * @param {HTMLElement} place @param {object} upload @param {number|null} picked @param {(number) => void} onPick
 */
export function showPictures(place, upload, picked, onPick) {
  const inspection = upload.inspection;
  const found = inspection?.result;
  const remarks = [];
  const media = upload.media;
  const dimensions = `${media.width} × ${media.height}`;
  const facts = media.seconds === undefined ? `${upload.name}, ${dimensions}`
    : `${upload.name}, ${dimensions}, ${duration(media.seconds)}, ${Math.round(media.fps * 100) / 100} frames a second`;
  const parts = [];
  const people = found?.people ?? [];
  const order = found?.left_to_right ?? [];
  const isPhoto = upload.kind === "photo";
  const nameOf = isPhoto ? (number) => order.indexOf(number) + 1 : (number) => number;
  if (found?.view) parts.push(picture(upload, found.view, picked, inspection.state === "done" ? nameOf : null));
  if (people.length > 1) {
    const shown = isPhoto ? people.filter((one) => order.includes(one.number)).sort((a, b) => nameOf(a.number) - nameOf(b.number)) : people;
    const label = (one) => (isPhoto ? `${nameOf(one.number)}` : `${one.number}: ${percent(one.frames / found.frames)}`);
    parts.push(choice(upload, shown, picked, label, onPick, `${place.closest("section").id}-person`));
  }
  parts.push(make("p", { className: "hint", textContent: facts }));
  place.replaceChildren(...parts);
  place.hidden = false;

  if (!inspection || inspection.state === "queued") remarks.push(["wait", "Waiting to look for faces …"]);
  else if (inspection.state === "running") remarks.push(["wait", `Looking for faces: ${percent(inspection.progress)}`]);
  else if (inspection.state === "failed") remarks.push(["bad", `${inspection.error.detail} ${inspection.error.remedy}`]);
  else if (!people.length) remarks.push(["bad", "No face was found. Take one that shows a face from the front, larger and in better light."]);
  else {
    const person = people.find((one) => one.number === picked) ?? people[0];
    remarks.push(...remarksOnPerson(person, found.frames, isPhoto));
  }
  if (media.truncated) remarks.push(["warn", "The file breaks off before its end. Copy it again if something is missing."]);
  return remarks;
}

/** Shows a recording. */
export function showSound(place, upload) {
  const player = make("audio", { controls: true, src: upload.content, preload: "metadata" });
  player.setAttribute("aria-label", `The words: ${upload.name}`);
  place.replaceChildren(player, make("p", { className: "hint", textContent: `${upload.name}, ${duration(upload.media.seconds)}` }));
  place.hidden = false;
  return upload.media.sound ? [["good", "Sound found."]] : [["bad", "There is no sound in this file."]];
}
