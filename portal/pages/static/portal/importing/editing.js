// Access lists in either form: signed by an owner (a compact JWS), or by a security key that an owner lets change who
// is listed (JSON). What strongroom/protocol/access.py and security_keys.py check, checked alike.

import { b64u, canonical, concat, equal, fromB64u, sha256, text, utf8 } from "./encoding.js";
import * as jws from "./jws.js";
import { Refused } from "./refused.js";
import { ACCESS_LIST, EDITED_LIST } from "./statements.js";

const LABEL = "strongroom.access-list\0";
const MALFORMED = "statement-malformed";
const AUTHENTICATOR_DATA = 37;
// The user was there and verified; nothing else, such as a credential that can be copied, is taken.
const PRESENT_AND_VERIFIED = 0x05;

const isBySecurityKey = (document) => typeof document === "string" && document.startsWith("{");

function readCanonical(written) {
  const found = jws.readJson(written);
  if (canonical(found) !== written) throw new Refused(MALFORMED, "An access list is not in canonical JSON.");
  return found;
}

const readEdited = (document) => EDITED_LIST.read(readCanonical(document));
const payloadOf = (edited) => ACCESS_LIST.read(readCanonical(text(fromB64u(edited.payload, MALFORMED), MALFORMED)));

// The list in a document, its signature *not* checked.
export const readList = (document) =>
  isBySecurityKey(document) ? payloadOf(readEdited(document)) : jws.readUnverified(document, ACCESS_LIST);

// The newest list that an owner signed: the document itself, or the one that a security key's carries.
export const grantedIn = (document) => (isBySecurityKey(document) ? readEdited(document).granted : document);

// The list, if the owner with these 32 bytes signed it, or a security key that a list of that owner lets change it.
export async function checkDocument(document, owner) {
  if (!isBySecurityKey(document)) return jws.verify(document, ACCESS_LIST, owner);
  const edited = readEdited(document);
  const granted = await jws.verify(edited.granted, ACCESS_LIST, owner);
  for (const { key } of granted.editors)
    if ((await fingerprint(key)) === edited.key) return checkEdited(edited, key, granted);
  throw new Refused("not-an-editor", "The access list is signed by a security key that its owner lets change nothing.");
}

async function checkEdited(edited, key, granted) {
  const listed = payloadOf(edited);
  await checkAssertion(edited, key, await sha256(concat(utf8(LABEL), fromB64u(edited.payload))));
  if (canonical(beyondReach(listed)) !== canonical(beyondReach(granted)))
    throw new Refused("beyond-an-editor", "A security key has changed more in the access list than who is listed.");
  if (listed.version <= granted.version)
    throw new Refused("access-list-conflict", "The access list does not follow the owner's that it goes by.");
  return listed;
}

// What an editor must leave as the owner said it.
export const beyondReach = ({ partition, owners, editors }) => ({
  partition,
  owners: owners.map(({ x }) => x),
  editors: editors.map(({ key, label = "" }) => [key.id, key.public_key, key.rp_id, key.origin, label]),
});

const fingerprint = async ({ id, origin, public_key, rp_id }) =>
  b64u(await sha256(utf8(canonical({ id, kty: "FIDO2", origin, public_key, rp_id }))));

async function checkAssertion(given, key, challenge) {
  const refused = (sentence) => new Refused("security-key-refused", sentence);
  // 1. The browser: an assertion over this challenge, on the origin that was enrolled and in no other's frame.
  const clientData = fromB64u(given.client_data);
  const said = jws.readJson(text(clientData));
  if (said.type !== "webauthn.get") throw refused("A security key signed something else than an assertion.");
  if (said.origin !== key.origin || (said.crossOrigin ?? false) !== false || (said.topOrigin ?? null) !== null)
    throw refused("A security key was used on another origin than the one that it was registered for.");
  if (said.challenge !== b64u(challenge)) throw new Refused("signature-invalid", "A security key signed another access list.");
  // 2. The key: for this relying party, its user present and verified.
  const signed = fromB64u(given.authenticator_data);
  if (signed.length !== AUTHENTICATOR_DATA || signed[32] !== PRESENT_AND_VERIFIED)
    throw refused("A security key did not verify its user, or can be copied.");
  if (!equal(signed.subarray(0, 32), await sha256(utf8(key.rp_id)))) throw refused("A security key was used for another site.");
  // 3. Its signature over both.
  if (!(await verifies(key, fromB64u(given.signature), concat(signed, await sha256(clientData)))))
    throw new Refused("signature-invalid", "A security key's signature does not hold.");
}

async function verifies(key, signature, signed) {
  const spki = fromB64u(key.public_key);
  try {
    // A SubjectPublicKeyInfo of Ed25519 has 44 bytes; all others are of P-256.
    if (spki.length === 44) {
      const ed25519 = await crypto.subtle.importKey("spki", spki, "Ed25519", true, ["verify"]);
      return await crypto.subtle.verify("Ed25519", ed25519, signature, signed);
    }
    const p256 = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
    return await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, p256, fixedLength(signature), signed);
  } catch {
    return false;
  }
}

// r and s of a signature in DER (RFC 3279 §2.2.3) as WebCrypto takes them: 32 bytes each.
function fixedLength(der) {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new Error("no signature in DER");
  let at = 2;
  const integer = () => {
    if (der[at] !== 0x02) throw new Error("no integer in DER");
    const bytes = der.subarray(at + 2, at + 2 + der[at + 1]);
    at += 2 + bytes.length;
    const digits = bytes[0] === 0 ? bytes.subarray(1) : bytes;
    return concat(new Uint8Array(32 - digits.length), digits);
  };
  return concat(integer(), integer());
}
