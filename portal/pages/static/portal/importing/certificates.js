// Certificates of the manufacturer's hierarchy (RFC 5280), as strongroom/protocol/certificates.py judges them.

import { Der, TAG } from "./der.js";
import { equal, fromBase64, hex, makeId, sha256, text } from "./encoding.js";
import * as jws from "./jws.js";
import * as pem from "./pem.js";
import { Refused } from "./refused.js";
import * as x509 from "./x509.js";

const INVALID = "certificate-invalid";
const ED25519 = "06032b6570";
// 2.25.239108274937846138372943857473822719043: the extension that holds role and mode.
const PROFILE = "06146982e7e2ca88ed9b8acbe7cc9de48681daf3f843";

const invalid = (sentence) => new Refused(INVALID, sentence);

function profileIn(extensions) {
  const found = extensions.get(PROFILE);
  if (!found) throw invalid("A certificate is not of the manufacturer's hierarchy.");
  try {
    const { role, mode, ...rest } = JSON.parse(text(found, INVALID));
    if (Object.keys(rest).length || !["production", "development"].includes(mode)) throw new SyntaxError();
    return { role, mode };
  } catch {
    throw invalid("A certificate's profile cannot be read.");
  }
}

// A certificate's parts that are judged here.
export function parse(bytes) {
  const found = x509.parse(bytes, INVALID);
  const key = new Der(found.spki, INVALID).enter(TAG.sequence);
  const keyAlgorithm = hex(key.take(TAG.sequence).content);
  const publicKey = key.bits();
  if (hex(found.algorithm) !== ED25519 || keyAlgorithm !== ED25519 || publicKey.length !== 32)
    throw invalid("A certificate is not of Ed25519, as all of this hierarchy are.");
  return { ...found, publicKey, ...profileIn(found.extensions) };
}

// The certificates of a PEM file, which may hold other text between them.
export function parsePem(text) {
  const found = pem.blocks(text, "CERTIFICATE", INVALID);
  if (!found.length) throw new Refused("configuration", "The file holds no certificate in PEM.");
  return found.map(parse);
}

// SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` writes it.
export const fingerprint = async (one) => hex(await sha256(one.bytes)).toUpperCase().match(/../g).join(":");

async function issued(certificate, root) {
  if (!equal(certificate.issuer, root.subject)) return false;
  const key = await crypto.subtle.importKey("raw", root.publicKey, "Ed25519", true, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, certificate.signature, certificate.tbs);
}

// Who signs with `certificate`, if one of `roots` issued it for `role` and it is in force at `now`.
export async function certified(certificate, roots, role, now) {
  let issuer = null;
  for (const root of roots) if (!issuer && (await issued(certificate, root))) issuer = root;
  if (!issuer) throw invalid("A certificate was not issued by the manufacturer's root that you gave.");
  for (const one of [issuer, certificate])
    if (now < one.notBefore || now > one.notAfter) throw invalid("A certificate is outside its validity.");
  if (issuer.role !== "root" || certificate.role !== role || certificate.mode !== issuer.mode)
    throw invalid(`A certificate is not a ${role}'s of this root.`);
  const { publicKey, mode } = certificate;
  return { publicKey, mode, device: await makeId("dev_", publicKey) };
}

// The certificate that a statement carries (`x5c`), unverified.
export function carried(token) {
  const chain = jws.readHeader(token).x5c;
  if (!Array.isArray(chain) || chain.length < 1 || chain.length > 4 || typeof chain[0] !== "string")
    throw invalid("A statement carries no certificate.");
  return parse(fromBase64(chain[0], INVALID));
}

// A statement whose signer's certificate leads to one of `roots` in `role`, and who signed it.
export async function verifyStatement(token, kind, roots, role, now) {
  const signer = await certified(carried(token), roots, role, now);
  return { says: await jws.verify(token, kind, signer.publicKey), signer };
}
