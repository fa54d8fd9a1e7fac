// Makes elements, and shows what is wrong beside what is at fault.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children; `null` children are left out. */
export function make(kind, properties = {}, ...children) {
  const { attributes = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(kind), rest);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const button = (text, action, properties = {}) => {
  const made = make("button", { type: "button", textContent: text, ...properties });
  made.addEventListener("click", action);
  return made;
};

/** What and what to do, as one text. */
export const wording = (problem) => [problem.detail ?? problem.message, problem.remedy].filter(Boolean).join(" ");

/** Fills an element with a problem: what, why, and what to do. */
export function show(element, problem) {
  element.hidden = !problem;
  if (problem) element.replaceChildren(make("strong", { textContent: problem.title ?? "This did not work" }), wording(problem));
}

let faults = 0;
/** Ends the wait for the change of a control that is at fault. */
const waits = new WeakMap();

/**
 * Says at a field what is wrong with it, until it is changed.
 * @param {HTMLElement} place the .problem beside it @param {HTMLElement|null} control what is at fault
 */
export function complain(place, problem, control = null) {
  if (!place.id) place.id = `fault-${++faults}`;
  place.textContent = wording(problem);
  place.hidden = false;
  if (!control) return;
  control.setAttribute("aria-invalid", "true");
  const described = control.dataset.described ??= control.getAttribute("aria-describedby") ?? "";
  control.setAttribute("aria-describedby", `${described} ${place.id}`.trim());
  waits.get(control)?.abort();
  const wait = new AbortController();
  waits.set(control, wait);
  for (const kind of ["input", "change"]) control.addEventListener(kind, () => settle(place, control), { signal: wait.signal });
}

/** Takes back what was said at a field. */
export function settle(place, control = null) {
  place.hidden = true;
  place.textContent = "";
  if (!control) return;
  waits.get(control)?.abort();
  control.removeAttribute("aria-invalid");
  if (control.dataset.described) control.setAttribute("aria-describedby", control.dataset.described);
  else control.removeAttribute("aria-describedby");
}
