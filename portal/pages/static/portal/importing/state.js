// What the steps of a page share.

import { Portal } from "./portal.js";
import { byId } from "./showing.js";

export const page = document.querySelector("[data-facts]");
export const { tenant, registry, ...about } = JSON.parse(page.dataset.facts);
export const portal = new Portal();
export const NOTHING_SENT = "Nothing was encrypted or sent.";
export const now = () => Math.floor(Date.now() / 1000);

// `keeping`: what this browser keeps; `device`: its own key; `sealed`: what would leave, or has left.
export const shared = { keeping: null, device: null, sealed: null };

const STEPS = ["own-key", "vouch", "key", "leaves", "receipt"];

// Close a step of an import and all that come after it.
export function closeAfter(name) {
  for (const one of STEPS.slice(STEPS.indexOf(name))) byId(one).hidden = true;
  byId("send").hidden = false;
}
