"use strict";

// What a page gains with a script, and is complete without: times in the reader's zone, and buttons that copy.

const two = (number) => String(number).padStart(2, "0");

function localTime(moment) {
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

function showLocalTimes(root) {
  for (const time of root.querySelectorAll("time.when:not([title])")) {
    time.title = time.textContent;
    const text = localTime(new Date(time.dateTime));
    time.textContent = time.dataset.precision === "hour" ? text.slice(0, 16) : text;
  }
}

async function copy(button, source) {
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function offerCopies(root) {
  for (const source of root.querySelectorAll("pre > code, input[readonly]")) {
    const place = source.closest("pre") ?? source;
    if (!navigator.clipboard || place.parentElement.classList.contains("copyable")) continue;
    const around = document.createElement("div");
    const button = document.createElement("button");
    around.className = "copyable";
    button.type = "button";
    button.className = "plain copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(button, source));
    place.replaceWith(around);
    around.append(place, button);
  }
}

function improve(root) {
  showLocalTimes(root);
  offerCopies(root);
}

// A link to something that is folded up unfolds it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

addEventListener("hashchange", unfold);
unfold();

for (const place of document.querySelectorAll("[data-zone]")) {
  place.textContent = ` Times are in your zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}; point at one for UTC.`;
  place.hidden = false;
}
improve(document);
document.addEventListener("htmx:load", (event) => improve(event.detail.elt));
