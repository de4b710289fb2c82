// Everyone who can know is asked, each over a fresh nonce. What is read here unverified only chooses what to ask for.

import { carried } from "./certificates.js";
import { nonce } from "./encoding.js";
import { SUITE, TRANSPORT } from "./envelope.js";
import * as jws from "./jws.js";
import { BY_COMMAND, Refused } from "./refused.js";
import { ATTESTATION, ENDORSEMENT } from "./statements.js";

function offered(tokens, inForce, what) {
  const ofSuite = tokens.filter((token) => jws.readUnverified(token, ENDORSEMENT).suite === SUITE);
  if (!ofSuite.length)
    throw new Refused("suite-unsupported", `The provider offers no ${what} of suite ${SUITE} in its device. Import with the command:`, BY_COMMAND);
  const found = ofSuite.find((token) => inForce.includes(jws.readUnverified(token, ENDORSEMENT).key_id));
  if (!found) throw new Refused("validation-failed", `The provider publishes no ${what} that its device has in force.`);
  return found;
}

// All that is said about a partition and the keys to seal to: a dossier, of which nothing is believed before `judge`.
// `say` is told whom is being asked.
export async function gather(portal, partition, now, say) {
  // 1. The partition's access list and attestation.
  say("Asking the device about the partition…");
  const attestationNonce = nonce();
  const { version, document } = await portal.get(`partitions/${partition}/access`);
  const { attestation } = await portal.post(`partitions/${partition}/attestation`, { nonce: attestationNonce });
  const attested = jws.readUnverified(attestation, ATTESTATION);
  // 2. The keys of that device.
  const { devices } = await portal.get("trust");
  const device = devices.find((one) => one.device === attested.device);
  if (!device) throw new Refused("validation-failed", "The provider publishes no keys of the device.");
  const vendor = offered(device.vendor_keys, attested.vendor_keys, "vendor key");
  const provider = offered(device.provider_keys, attested.provider_keys, "provider key");
  // 3. Who must vouch for them. The portal passes on what the manufacturer signs over our nonce.
  const asked = [
    ["manufacturer", "vendor-key", "validation/manufacturer", vendor, { mode: carried(vendor).mode }],
    ["provider", "provider-key", "validation", provider, {}],
  ];
  const answers = [];
  for (const [who, subject, path, endorsement, besides] of asked) {
    say(`Asking the ${who} about the ${subject}…`);
    const question = { nonce: nonce(), key_id: jws.readUnverified(endorsement, ENDORSEMENT).key_id, ...besides };
    const { statement } = await portal.post(path, question);
    answers.push({ who, subject, nonce: question.nonce, statement });
  }
  // In the order in which the command writes a dossier: an evidence file has one spelling.
  return {
    v: 1, saved_at: now, transport: TRANSPORT, suite: SUITE, partition, import_id: "",
    access: { version, document, owners: [] }, attestation_nonce: attestationNonce, attestation,
    vendor_key: vendor, provider_key: provider, engine_key: null, answers,
  };
}
