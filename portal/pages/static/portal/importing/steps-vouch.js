// Step 3 of an import: who vouches. The steps before lead here.

import { anchorsOf, checkAskable } from "./anchors.js";
import { gather } from "./asking.js";
import { allowCommand } from "./command.js";
import { judge } from "./judging.js";
import * as rows from "./rows.js";
import { byId, facts, focusOn, open, records, step } from "./showing.js";
import { closeAfter, NOTHING_SENT, now, portal, shared } from "./state.js";

export const partition = () => byId("partition").value;

// What judges: the anchors that are kept, with the last access list of the chosen partition.
export async function anchors() {
  const kept = await shared.keeping.get("anchors");
  checkAskable(kept);
  return anchorsOf(kept, await shared.keeping.get(`access ${partition()}`));
}

// The evidence on the chosen partition and the keys to seal to, as of now.
export async function ask(say) {
  const trusted = await anchors();
  const at = now();
  const evidence = await judge(await gather(portal, partition(), at, say), trusted, at);
  if (evidence.access.document) await shared.keeping.put(`access ${partition()}`, evidence.access.document);
  return { evidence, anchors: trusted };
}

export function isListed(evidence) {
  const found = evidence.access.principals.find((one) => one.principal === `device:${shared.device.fingerprint}`);
  return Boolean(found?.rights.includes("import"));
}

function showEvidence({ evidence, anchors: trusted }) {
  records(byId("vouched"), rows.ofAnswers(evidence));
  facts(byId("evidence"), rows.ofEvidence(evidence, trusted));
  byId("development").hidden = evidence.mode !== "development";
  const listed = isListed(evidence);
  byId("vouched-all").hidden = false;
  byId("not-listed").hidden = listed;
  byId("allow").textContent = allowCommand(shared.device);
  if (listed) return open(byId("key"));
  closeAfter("key");
  focusOn(byId("not-listed").querySelector("h3"));
}

byId("ask").addEventListener("click", () =>
  step(byId("vouch"), NOTHING_SENT, async (say) => {
    byId("vouched-all").hidden = true;
    closeAfter("key");
    showEvidence(await ask(say));
  }),
);

byId("partition").addEventListener("change", () => {
  byId("vouched-all").hidden = true;
  closeAfter("key");
});

// --- what leads here ------------------------------------------------------------------------------------------------------

// Show the steps before the key that what is kept here has reached.
export function showReached() {
  byId("own-key").hidden = false;
  byId("vouch").hidden = !shared.device;
}

byId("trust").addEventListener("kept", () => {
  showReached();
  open(byId(shared.device ? "vouch" : "own-key"));
});
byId("trust").addEventListener("changing", () => closeAfter("own-key"));
byId("own-key").addEventListener("kept", () => open(byId("vouch")));
