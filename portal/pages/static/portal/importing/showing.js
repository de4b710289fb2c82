// How the page of imports shows what it found.

import { BY_COMMAND, Refused } from "./refused.js";

export const byId = (id) => document.getElementById(id);

export function element(tag, content, className = "") {
  const made = document.createElement(tag);
  made.append(content);
  if (className) made.className = className;
  return made;
}

// Have portal.js show times in the reader's zone, as in whatever htmx brings.
const improve = (place) => place.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: place } }));

// Fill a list of facts with rows of (what, said).
export function facts(list, rows) {
  list.replaceChildren(...rows.flatMap(([what, said]) => [element("dt", what), element("dd", said, "id")]));
  improve(list);
}

// Fill a table's body with records, whose cells are in the order of the table's columns.
export function records(body, rows) {
  const columns = [...body.closest("table").querySelectorAll("thead th")].map((one) => one.textContent);
  body.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((cell, at) => {
        const made = element(at ? "td" : "th", cell);
        if (!at) made.scope = "row";
        made.dataset.label = columns[at];
        row.append(made);
      });
      return row;
    }),
  );
  improve(body);
}

// Replace the choices of a set of check boxes, keeping what was chosen.
export function choices(place, name, values) {
  const chosen = new Set(chosenIn(place));
  place.replaceChildren(
    ...values.map((value) => {
      const label = element("label", "");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name, value, checked: chosen.has(value) });
      label.append(box, ` ${value}`);
      return label;
    }),
  );
}

export const chosenIn = (place) => [...place.querySelectorAll("input:checked")].map((one) => one.value);

// Unix seconds as the other pages write a moment.
export function when(seconds) {
  const moment = new Date(seconds * 1000).toISOString();
  const made = element("time", `${moment.slice(0, 19).replace("T", " ")} UTC`, "when");
  made.dateTime = moment;
  return made;
}

export function offer(link, name, content) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  link.download = name;
  link.hidden = false;
}

// Lead to a heading, which then is what is read out.
export function focusOn(heading) {
  heading.tabIndex = -1;
  heading.focus();
}

// Open a step of the page and lead there.
export function open(section) {
  section.hidden = false;
  focusOn(section.querySelector("h2"));
  section.dispatchEvent(new Event("opened"));
}

let command = () => BY_COMMAND;

// Which command line `BY_COMMAND` stands for.
export const useCommand = (made) => {
  command = made;
};

function refusal(error, otherwise) {
  if (!(error instanceof Refused)) {
    console.error(error);
    return [element("p", `This page failed: ${error.message}. ${otherwise}`)];
  }
  const end = `${otherwise} (${error.code})`.trim();
  if (!error.ways.length) return [element("p", `${error.message} ${end}`)];
  const ways = error.ways.map((way) => element("pre", element("code", way.startsWith(BY_COMMAND) ? command() + way.slice(BY_COMMAND.length) : way)));
  return [element("p", error.message), ...ways, element("p", end)];
}

// Do a step's work, which is told how to say what it is doing; what is refused is said in the step itself.
// `otherwise`: what did not happen then.
export async function step(section, otherwise, work) {
  const said = section.querySelector("[role=alert]");
  const doing = section.querySelector("[role=status].now");
  const buttons = [...section.querySelectorAll("button")].filter((one) => !one.disabled);
  const focused = document.activeElement;
  said.replaceChildren();
  section.setAttribute("aria-busy", "true");
  for (const button of buttons) button.disabled = true;
  try {
    await work((what) => {
      doing.textContent = what;
    });
  } catch (error) {
    said.replaceChildren(...refusal(error, otherwise));
    improve(said);
  } finally {
    doing.textContent = "";
    section.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
    // A button that is disabled loses the focus, and where the work led nowhere else it is to be where it was.
    if (document.activeElement === document.body && section.contains(focused)) focused.focus();
  }
}
