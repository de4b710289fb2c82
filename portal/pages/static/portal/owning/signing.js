// The page that signs an access list: with the owner credential that this browser keeps, where it does. What is signed is
// read, checked and said here; only the device decides.

import { anchorsOf } from "../importing/anchors.js";
import { digest, fromB64u, nonce, text } from "../importing/encoding.js";
import * as jws from "../importing/jws.js";
import { accessInForce, checkAttestation } from "../importing/judging.js";
import { Keeping } from "../importing/keeping.js";
import { Refused } from "../importing/refused.js";
import { byId, element, facts, focusOn, open, step } from "../importing/showing.js";
import { about, now, portal, shared, tenant } from "../importing/state.js";
import { ACCESS_LIST } from "../importing/statements.js";
import { showAnchors } from "../importing/steps-trust.js";
import { review } from "./review.js";

const { partition, owners } = about;
const written = text(fromB64u(about.payload));
const NOTHING = "Nothing was signed.";

async function anchors(own) {
  const kept = await shared.keeping.get("anchors");
  return { ...(await anchorsOf(kept, await shared.keeping.get(`access ${partition}`))), own };
}

// The device's word, now, that the partition is ours and that `known` is what is in force in it.
async function attest(known, trusted) {
  const asked = nonce();
  const { attestation } = await portal.post(`partitions/${partition}/attestation`, { nonce: asked });
  await checkAttestation({ partition, attestation, attestation_nonce: asked }, known, trusted, now());
}

// The list in force, verified and attested to; from here on nothing older is accepted.
async function inForce(own) {
  const trusted = await anchors(own);
  const known = await accessInForce(await portal.get(`partitions/${partition}/access`), partition, trusted);
  await attest(known, trusted);
  if (known.document) await shared.keeping.put(`access ${partition}`, known.document);
  return known;
}

async function readChange(own) {
  const device = await shared.keeping.device();
  const known = await inForce(own);
  return { known, ...(await review(written, known, { partition, own, browser: device ? `device:${device.fingerprint}` : "" })) };
}

function showChange() {
  byId("by-owner").hidden = false;
  return step(byId("by-owner"), NOTHING, async (say) => {
    byId("sign").hidden = true;
    say("Asking the device what is in force…");
    const { words } = await readChange(shared.owner);
    byId("owner-words").replaceChildren(...words.map((one) => element("li", one)));
    byId("sign").hidden = false;
    focusOn(byId("by-owner").querySelector("h2"));
  });
}

// The new list as it would be in force, signed.
async function sign(own) {
  const { known, statement } = await readChange(own);
  const document = await jws.sign(ACCESS_LIST.typ, statement, own);
  return { version: statement.version, document, digest: await digest(document), owners: known.owners };
}

async function putInForce(known) {
  await portal.put(`partitions/${partition}/access`, { document: known.document });
  try {
    await attest(known, await anchors(shared.owner));
  } catch (error) {
    if (error instanceof Refused) error.message = `The list was signed and sent. Whether it is in force is not known: ${error.message}`;
    throw error;
  }
  await shared.keeping.put(`access ${partition}`, known.document);
}

byId("sign").addEventListener("click", async () => {
  let known = null;
  await step(byId("by-owner"), NOTHING, async (say) => {
    say("Asking the device, and signing…");
    known = await sign(shared.owner);
  });
  if (!known) return;
  await step(byId("by-owner"), "", async (say) => {
    say("Sending, and asking the device whether it is in force…");
    await putInForce(known);
    facts(byId("signed-facts"), [["Version", String(known.version)], ["Signed by", `owner ${shared.owner.fingerprint}`]]);
    for (const one of document.querySelectorAll(".before-signing")) one.hidden = true;
    open(byId("signed"));
  });
});

byId("trust").addEventListener("kept", showChange);
byId("trust").addEventListener("changing", () => {
  byId("by-owner").hidden = true;
});

shared.keeping = await Keeping.open(tenant);
shared.owner = await shared.keeping.owner();
if (shared.owner && owners.includes(shared.owner.fingerprint)) {
  for (const one of document.querySelectorAll(".without-owner")) one.hidden = true;
  byId("trust").hidden = false;
  if (await showAnchors()) await showChange();
}
