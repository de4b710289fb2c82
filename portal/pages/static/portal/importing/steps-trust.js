// Steps 1 to 3: whom to trust, this browser's key, who vouches.

import { anchorsOf, checkAskable, describe, readAnchors } from "./anchors.js";
import { gather } from "./asking.js";
import { allowCommand } from "./command.js";
import { makeId } from "./encoding.js";
import { judge } from "./judging.js";
import { Refused } from "./refused.js";
import * as rows from "./rows.js";
import { byId, facts, focusOn, open, records, step } from "./showing.js";
import { closeAfter, NOTHING_SENT, now, portal, shared } from "./state.js";

// --- 1. whom to trust -------------------------------------------------------------------------------------------------

export async function showAnchors() {
  const kept = await shared.keeping.get("anchors");
  byId("anchors").hidden = Boolean(kept);
  byId("anchors-kept").hidden = !kept;
  if (!kept) return false;
  facts(byId("anchors-facts"), await describe(kept));
  byId("own-key").hidden = false;
  return true;
}

byId("anchors").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("trust"), "Nothing was kept.", async () => {
    const file = (id) => byId(id).files[0];
    const given = {
      provider: byId("provider").value.trim(), roots: file("roots"), validation: file("validation"), owner: file("owner"),
      third: [...byId("third").files],
    };
    await shared.keeping.put("anchors", await readAnchors(given));
    await showAnchors();
    await showDevice();
    open(byId(shared.device ? "vouch" : "own-key"));
  });
});

byId("anchors-change").addEventListener("click", () => {
  byId("anchors").hidden = false;
  byId("anchors-kept").hidden = true;
  closeAfter("own-key");
  byId("provider").focus();
});

// --- 2. this browser's key ----------------------------------------------------------------------------------------------

export async function showDevice() {
  shared.device = await shared.keeping.device();
  const { device } = shared;
  byId("device-new").hidden = Boolean(device);
  byId("device-kept").hidden = !device;
  // Devices of a tenant have different names, and nobody needs to think of one.
  if (!device && !byId("device-name").value) byId("device-name").value = (await makeId("browser-")).slice(0, 12);
  if (!device) return;
  facts(byId("device-facts"), [["Name", device.name], ["Principal", `device:${device.fingerprint}`]]);
  byId("vouch").hidden = false;
}

byId("device-new").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("own-key"), "", async (say) => {
    say("Making a key, and enrolling it as a client device…");
    const name = byId("device-name").value.trim();
    const made = await shared.keeping.makeDevice(name);
    try {
      const credential = { kty: "OKP", crv: "Ed25519", x: made.x };
      const { principal } = await portal.post("devices", { name, credential });
      if (principal !== `device:${made.fingerprint}`) throw new Refused("internal", "The portal registered another key than was sent.");
    } catch (error) {
      await shared.keeping.forget("device");
      throw error;
    }
    await showDevice();
    open(byId("vouch"));
  });
});

// --- 3. who vouches -------------------------------------------------------------------------------------------------------

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
