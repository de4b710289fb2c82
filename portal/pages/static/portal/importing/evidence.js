// Files for the command: the evidence of a key that was imported here, for `strongroom evidence verify`, and the envelope
// that is sent, for `strongroom receipt verify --envelope`.

import { verifyStatement } from "./certificates.js";
import { concat, fromBase64, hex, nonce, sha256 } from "./encoding.js";
import { checkFresh } from "./judging.js";
import { Refused } from "./refused.js";
import { CHECKPOINT } from "./statements.js";

const [LANE, PAGE] = ["admin", 5000];

const inconsistent = (sentence) => new Refused("log-inconsistent", `${sentence} Keep what you have as evidence.`);

// The partition's administrative lane, entry by entry in base64, as a fresh checkpoint of the device states it.
async function administrativeLane(portal, partition, roots, now) {
  const asked = nonce();
  const { checkpoint } = await portal.post(`partitions/${partition}/checkpoint`, { nonce: asked });
  const { says, signer } = await verifyStatement(checkpoint, CHECKPOINT, roots, "device", now);
  if (says.nonce !== asked) throw new Refused("nonce-mismatch", "The checkpoint answers another question.");
  checkFresh(says.issued_at, now);
  if (says.partition !== partition || says.device !== signer.device)
    throw inconsistent("The checkpoint is of another partition or device.");
  const wanted = says.lanes[LANE];
  if (!wanted) throw inconsistent("The checkpoint has no administrative lane.");
  const entries = [];
  while (entries.length < wanted.count) {
    const page = await portal.get(`partitions/${partition}/log?lane=${LANE}&after=${entries.length}&limit=${PAGE}`);
    if (!page.entries.length) throw inconsistent("The portal's copy of the log is shorter than the device states.");
    entries.push(...page.entries.map((one) => one.entry));
  }
  entries.length = wanted.count;
  let head = new Uint8Array(32);
  for (const entry of entries) head = await sha256(concat(head, fromBase64(entry)));
  if (hex(head) !== wanted.head) throw inconsistent("The log does not have the head that the device states.");
  return { checkpoint, entries };
}

// The text of the file, member by member in the order in which the command writes it: it has one spelling.
export async function evidenceFile(portal, imported, anchors, now) {
  const { checkpoint, entries } = await administrativeLane(portal, imported.dossier.partition, anchors.roots, now);
  return JSON.stringify({
    v: 1,
    only_admin: true,
    receipt: imported.receipt,
    header: imported.header,
    dossier: imported.dossier,
    provider: anchors.provider,
    provider_validation: { kty: "OKP", x: anchors.validation.x, crv: "Ed25519" },
    third_parties: {},
    checkpoint,
    lanes: { [LANE]: entries },
  });
}

// The text of the file that the command's `wrap` would have written: all that leaves, and what its receipt must say.
export function envelopeFile({ body, sent, answerHolds, dossier }) {
  const { partition, ...envelope } = body;
  const { header, key_type, public_key, check_value } = sent;
  return JSON.stringify(
    {
      v: 1, partition, envelope, consent: "",
      sent: { header, key_type, public_key, check_value, dossier: "", answer_holds: answerHolds },
      dossier,
    },
    null,
    1,
  );
}
