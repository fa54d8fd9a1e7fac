// What was understood of a photo or video: the faces outlined, the people to choose from, and what may go wrong.

import { make } from "./dom.js";
import { duration, percent } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

function draw(kind, attributes) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const pictureOf = (upload) => {
  const view = upload.inspection?.result?.view;
  return view ? `/api/v1/uploads/${upload.id}/picture?${view.frame}` : null;
};

/** A small picture of an upload, of one of its people if a number is given; null as long as there is none. */
export function thumbnail(upload, person) {
  const result = upload.inspection?.result;
  const known = person !== null && upload.inspection?.state === "done" && result.people.some((one) => one.number === person);
  const source = known ? `/api/v1/uploads/${upload.id}/people/${person}` : pictureOf(upload);
  return source ? make("img", { src: source, alt: "", loading: "lazy" }) : null;
}

/** The number that people see: in photos they are counted from the left. */
function nameIn(upload, number) {
  return upload.kind === "photo" ? (upload.inspection.result.left_to_right ?? []).indexOf(number) + 1 : number;
}

/** Outlines of the faces over the picture, and the regions that the photo check complains of. */
function drawing(upload, picked) {
  const { view } = upload.inspection.result;
  const svg = draw("svg", { viewBox: `0 0 ${view.width} ${view.height}`, "aria-hidden": "true" });
  for (const face of view.faces) {
    const group = draw("g", {});
    if (face.number === picked) group.classList.add("picked");
    group.append(draw("polygon", { points: face.oval.map(([x, y]) => `${x * view.width},${y * view.height}`).join(" ") }));
    if (view.faces.length > 1 && upload.inspection.state === "done") {
      const top = face.oval.reduce((a, b) => (b[1] < a[1] ? b : a));
      const number = draw("text", { x: top[0] * view.width, y: Math.max(top[1] * view.height, view.height / 14), "font-size": view.height / 14 });
      number.textContent = nameIn(upload, face.number);
      group.append(number);
    }
    svg.append(group);
  }
  for (const { region } of warningsOf(upload)) {
    if (!region) continue;
    const [x, y, width, height] = region;
    svg.append(draw("rect", { class: "region", x: x * view.width, y: y * view.height, width: width * view.width, height: height * view.height, rx: view.height / 60 }));
  }
  return svg;
}

export const warningsOf = (upload) => upload.inspection?.result?.warnings ?? [];

/** The picture of an upload with everything drawn on it. */
export function outlined(upload, name, picked) {
  const shown = make("div", { className: "shown" });
  const source = pictureOf(upload) ?? (upload.kind === "photo" ? upload.content : null);
  if (!source) return shown;
  const faces = upload.inspection?.result?.view?.faces.length ?? 0;
  shown.append(make("img", { src: source, alt: faces ? `${name}: ${faces === 1 ? "one face" : `${faces} faces`} found and outlined` : name }));
  if (upload.inspection?.result?.view) shown.append(drawing(upload, picked));
  return shown;
}

/** Radio buttons with a small picture of everybody. */
export function choice(upload, picked, name, onPick) {
  const { people, left_to_right: order, frames } = upload.inspection.result;
  const isPhoto = upload.kind === "photo";
  const listed = isPhoto ? people.filter((one) => order.includes(one.number)).sort((a, b) => order.indexOf(a.number) - order.indexOf(b.number)) : people;
  const fields = make("fieldset", { className: "people" }, make("legend", { textContent: "Whose face?" }));
  for (const person of listed) {
    const radio = make("input", { type: "radio", name, value: person.number, checked: person.number === picked });
    radio.addEventListener("change", () => onPick(person.number));
    const label = isPhoto ? `${nameIn(upload, person.number)}` : `${person.number}: in ${percent(person.frames / frames)}`;
    fields.append(make("label", {}, make("img", { src: `/api/v1/uploads/${upload.id}/people/${person.number}`, alt: "" }), radio, ` ${label}`));
  }
  return fields;
}

/** What will not work, or not everywhere, with this person. */
function remarksOnPerson(person, frames, isPhoto) {
  const reasons = Object.entries(person.reasons);
  if (isPhoto) return reasons.length ? reasons.map(([reason]) => ["bad", `This face cannot be used: it is ${reason}.`]) : [["good", "Face found."]];
  const remarks = [];
  if (person.usable === frames) remarks.push(["good", "Face found in every frame."]);
  else remarks.push([person.usable ? "good" : "bad", `The face can be changed in ${percent(person.usable / frames)} of the video.`]);
  for (const [reason, count] of reasons) remarks.push(["warn", `Face ${reason} in ${percent(count / frames)}: those frames stay as they are.`]);
  if (person.frames < frames) remarks.push(["warn", `Not seen in ${percent((frames - person.frames) / frames)}: those frames stay as they are.`]);
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

/** Remarks on a photo or scene, each [good|warn|bad|wait, text]. */
export function remarksOn(upload, picked, input) {
  const { inspection, media } = upload;
  const remarks = [];
  if (!inspection || inspection.state === "queued") remarks.push(["wait", "Waiting to look for faces"]);
  else if (inspection.state === "running") remarks.push(["wait", `Looking for faces: ${percent(inspection.progress)}`]);
  else if (inspection.state === "failed") remarks.push(["bad", `${inspection.error.detail} ${inspection.error.remedy}`]);
  else if (inspection.state === "done") {
    const { people, frames } = inspection.result;
    if (!people.length) remarks.push(["bad", "No face was found. Take one that shows a face from the front, larger and in better light."]);
    else remarks.push(...remarksOnPerson(people.find((one) => one.number === picked) ?? people[0], frames, upload.kind === "photo"));
  }
  if (input === "source") for (const warning of warningsOf(upload)) remarks.push(["warn", `${warning.message} ${warning.remedy}`]);
  if (media.truncated) remarks.push(["warn", "The file breaks off before its end. Copy it again if something is missing."]);
  return remarks;
}

/** Size, length and rate of a file, in words. */
export function facts(upload, name) {
  const { media } = upload;
  const said = [name, `${media.width} × ${media.height}`];
  if (media.seconds != null) said.push(duration(media.seconds), `${Math.round(media.fps * 100) / 100} frames a second`, media.sound ? "with sound" : "without sound");
  return said.join(" · ");
}
