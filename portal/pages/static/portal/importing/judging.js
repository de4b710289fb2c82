// What must hold before anything is encrypted: the checks of strongroom/client/dossier.py, evidence.py and in_force.py.
//
// `anchors`: what the customer itself trusts, got from elsewhere than this portal: `roots` (certificates), `provider`
// (its name), `validation` (the provider's validation key) and `own` (the owner's public key), each as raw bytes with
// its fingerprint; `kept`: the last access list that was verified here, or "".

import { verifyStatement } from "./certificates.js";
import { digest, fromB64u, makeId, thumbprint } from "./encoding.js";
import { checkDocument, grantedIn, readList } from "./editing.js";
import * as jws from "./jws.js";
import { Refused } from "./refused.js";
import { ATTESTATION, ENDORSEMENT, VALIDATION } from "./statements.js";

// Seconds that an answer may be old, and that an honest clock may be ahead.
const [FRESH, SKEW] = [300, 60];
const KEY_BYTES = 1216;
const PREFIX = { "vendor-key": "vk_", "provider-key": "pk_" };

const failed = (sentence) => new Refused("validation-failed", sentence);

export function checkFresh(issuedAt, now) {
  if (issuedAt < now - FRESH || issuedAt > now + SKEW)
    throw new Refused("stale", "An answer's time is not now. Compare this machine's clock.");
}

// An owner or device credential from its JWK.
export async function credential(jwk) {
  const raw = fromB64u(jwk.x);
  if (raw.length !== 32) throw new Refused("malformed", "A credential is no Ed25519 public key.");
  return { x: jwk.x, raw, fingerprint: await thumbprint(raw) };
}

// The access list in force, if an owner who is known signed it, or a security key that one lets change it, and it is no
// older than the one that was kept.
export async function accessInForce(answer, partition, anchors) {
  const last = anchors.kept ? readList(anchors.kept) : null;
  const conflict = (sentence) => new Refused("access-list-conflict", sentence);
  // 1. Nothing older than what was seen before.
  if (last && (answer.version < last.version || (answer.version === last.version && answer.document !== anchors.kept)))
    throw conflict(`Version ${last.version} of the access list was in force before, and this is not its sequel.`);
  if (answer.version === 0) {
    if (answer.document) throw new Refused("malformed", "There is an access list without a version.");
    return { version: 0, document: "", digest: "", owners: [anchors.own.fingerprint], principals: [] };
  }
  // 2. Signed by an owner who is known, oneself or one whom the kept list names; or by a key on such an owner's list.
  const granted = grantedIn(answer.document);
  const signer = jws.readHeader(granted).kid;
  const known = [anchors.own, ...(await Promise.all((last?.owners ?? []).map(credential)))];
  const owner = known.find((one) => one.fingerprint === signer);
  if (!owner) throw new Refused("not-the-owner", "The access list in force is signed by an owner that is not known here.");
  const current = await checkDocument(answer.document, owner.raw);
  // 3. For this partition, and of the version that is stated.
  if (current.partition !== partition) throw new Refused("wrong-partition", "The access list is of another partition.");
  if (current.version !== answer.version) throw conflict("The access list is not of the version that is stated.");
  // 4. What an owner let a key do is no older than what an owner was seen to say before.
  const seen = anchors.kept ? grantedIn(anchors.kept) : granted;
  if (granted !== seen && readList(granted).version <= readList(seen).version)
    throw conflict("The access list goes by an older list of the owner than was in force before.");
  const owners = (await Promise.all(current.owners.map(credential))).map((one) => one.fingerprint);
  const { version, principals } = current;
  return { version, document: answer.document, digest: await digest(answer.document), owners, principals };
}

// `dossier`: partition, attestation, and the nonce that it is to answer; `known`: the list that is to be in force.
export async function checkAttestation(dossier, known, anchors, now) {
  const { says, signer } = await verifyStatement(dossier.attestation, ATTESTATION, anchors.roots, "device", now);
  // 1. It is this device's answer to this question.
  if (says.nonce !== dossier.attestation_nonce)
    throw new Refused("nonce-mismatch", "The device's attestation answers another question.");
  checkFresh(says.issued_at, now);
  if (says.device !== signer.device || says.mode !== signer.mode)
    throw failed("The attestation names another device or mode than its certificate.");
  if (says.state !== "operational") throw new Refused("hsm-sealed", `The device is ${says.state}. Ask the provider to unseal it.`);
  // 2. It speaks of this partition, and the device holds it.
  const held = says.partition;
  if (!held || held.partition !== dossier.partition || !held.devices.includes(says.device))
    throw failed("The attestation is not about this partition on this device.");
  // 3. The owners are those whom the owner knows of, oneself among them.
  const [named, expected] = [new Set(held.owners), new Set(known.owners)];
  const same = named.size === expected.size && [...named].every((one) => expected.has(one));
  if (!held.owners.includes(anchors.own.fingerprint) || !same)
    throw new Refused("owner-mismatch", `The partition has an owner that is not you: the device names ${held.owners.join(", ")}.`);
  // 4. The access list in force is exactly the one that is known.
  if (held.access_list_version !== known.version || held.access_list_digest !== known.digest)
    throw failed("The device has another access list in force than the portal says.");
  return says;
}

// The key that a certified device endorses for `purpose`, its name bound to its bytes.
async function wrappingKey(token, purpose, suite, anchors, now) {
  const { says, signer } = await verifyStatement(token, ENDORSEMENT, anchors.roots, "device", now);
  const raw = fromB64u(says.public_key);
  if (says.device !== signer.device || says.purpose !== purpose)
    throw failed(`An endorsement is for another device, or not of a ${purpose}.`);
  if (says.key_id !== (await makeId(PREFIX[purpose], raw)))
    throw failed(`The name of the ${purpose} does not belong to its bytes.`);
  if (says.suite !== suite || raw.length !== KEY_BYTES) throw failed(`The ${purpose} is not of suite ${suite}.`);
  return { key_id: says.key_id, raw, subject: purpose, device: says.device, mode: signer.mode };
}

// What is refused is said after whose word it is.
function checkValidation(says, key, nonce, provider, publicDigest, now) {
  // 1. It answers this question, now.
  if (says.nonce !== nonce) throw new Refused("nonce-mismatch", "It answers another question.");
  checkFresh(says.issued_at, now);
  if (now >= says.expires_at) throw new Refused("stale", "Its answer has expired.");
  // 2. Key and device are in force.
  if (says.status !== "in-force" || says.device_status !== "in-force")
    throw failed(`It says: the ${says.subject} is ${says.status}, its device ${says.device_status}.`);
  // 3. It speaks of exactly this key, of a device of this provider.
  if (says.subject !== key.subject || says.key_id !== key.key_id || says.device !== key.device)
    throw failed("It speaks of another key or device.");
  if (says.public_key_digest !== publicDigest) throw failed("It knows other bytes under this key's name.");
  if (says.provider !== provider) throw failed(`It names the provider “${says.provider}”, and not “${provider}”.`);
  if ((says.not_before ?? now) > now || (says.not_after ?? now + 1) <= now)
    throw failed("It says that the key is outside its validity.");
}

async function checkAnswer(answer, key, anchors, now) {
  try {
    let says;
    if (answer.who === "manufacturer") {
      const verified = await verifyStatement(answer.statement, VALIDATION, anchors.roots, "statement", now);
      says = verified.says;
      if (verified.signer.mode !== key.mode) throw failed("It answered for another mode than the device's.");
    } else {
      says = await jws.verify(answer.statement, VALIDATION, anchors.validation.raw);
    }
    checkValidation(says, key, answer.nonce, anchors.provider, await digest(key.raw), now);
    return says;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(error.code, `The ${answer.who} does not vouch for the ${key.subject}. ${error.message}`);
  }
}

// The evidence, if everyone agrees. Throws `Refused`; then nothing may be encrypted to these keys.
export async function judge(dossier, anchors, now) {
  // 1. The device attests that the partition is ours, under the access list that its owner signed.
  const access = await accessInForce(dossier.access, dossier.partition, anchors);
  const attestation = await checkAttestation(dossier, access, anchors, now);
  // 2. Vendor key and provider key are this device's, and in force there.
  const vendor = await wrappingKey(dossier.vendor_key, "vendor-key", dossier.suite, anchors, now);
  const provider = await wrappingKey(dossier.provider_key, "provider-key", dossier.suite, anchors, now);
  if (vendor.device !== attestation.device || provider.device !== attestation.device)
    throw failed("Vendor key or provider key is of another device than the partition's.");
  if (!attestation.vendor_keys.includes(vendor.key_id) || !attestation.provider_keys.includes(provider.key_id))
    throw failed("The device does not have this vendor key and this provider key in force.");
  // 3. The manufacturer vouches for the one, the provider for the other.
  const said = [];
  for (const [who, key] of [["manufacturer", vendor], ["provider", provider]]) {
    const answers = dossier.answers.filter((one) => one.who === who && one.subject === key.subject);
    if (answers.length !== 1) throw failed(`The ${who} must vouch for the ${key.subject}, and did not.`);
    said.push({ says: await checkAnswer(answers[0], key, anchors, now), token: answers[0].statement });
  }
  return { mode: vendor.mode, device: attestation.device, vendor, provider, access, attestation, said, dossier };
}

// The evidence in the form that the header of an import carries.
export async function validations(evidence) {
  const found = [];
  for (const { says, token } of evidence.said) {
    const { validator, subject, status, issued_at } = says;
    found.push({ validator, subject, status, statement_digest: await digest(token), issued_at });
  }
  const { device, state, issued_at } = evidence.attestation;
  const statement_digest = await digest(evidence.dossier.attestation);
  return [...found, { validator: device, subject: "partition", status: state, statement_digest, issued_at }];
}
