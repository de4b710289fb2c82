// Certificates of the manufacturer's hierarchy (RFC 5280), as strongroom/protocol/certificates.py judges them.

import { Der, TAG } from "./der.js";
import { equal, fromBase64, hex, makeId, sha256, text } from "./encoding.js";
import * as jws from "./jws.js";
import { Refused } from "./refused.js";

const INVALID = "certificate-invalid";
const ED25519 = "06032b6570";
// 2.25.239108274937846138372943857473822719043: the extension that holds role and mode.
const PROFILE = "06146982e7e2ca88ed9b8acbe7cc9de48681daf3f843";
const [VERSION, EXTENSIONS, BOOLEAN] = [0xa0, 0xa3, 0x01];

const invalid = (sentence) => new Refused(INVALID, sentence);

function moment(der) {
  const isUtc = der.next === TAG.utcTime;
  const written = text(der.take(isUtc ? TAG.utcTime : TAG.time).content, INVALID);
  const found = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(written);
  if (!found || found[1].length !== (isUtc ? 2 : 4)) der.fail();
  const year = isUtc ? (Number(found[1]) < 50 ? 2000 : 1900) + Number(found[1]) : Number(found[1]);
  return Date.UTC(year, found[2] - 1, found[3], found[4], found[5], found[6]) / 1000;
}

function profileIn(extensions) {
  const found = [];
  while (!extensions.done) {
    const one = extensions.enter(TAG.sequence);
    const oid = hex(one.take(TAG.oid).whole);
    one.maybe(BOOLEAN);
    const value = one.take(TAG.octets).content;
    if (oid === PROFILE) found.push(value);
  }
  if (found.length !== 1) throw invalid("A certificate is not of the manufacturer's hierarchy.");
  try {
    const { role, mode, ...rest } = JSON.parse(text(found[0], INVALID));
    if (Object.keys(rest).length || !["production", "development"].includes(mode)) throw new SyntaxError();
    return { role, mode };
  } catch {
    throw invalid("A certificate's profile cannot be read.");
  }
}

// A certificate's parts that are judged here.
export function parse(bytes) {
  const outer = new Der(bytes, INVALID);
  const certificate = outer.enter(TAG.sequence);
  outer.end();
  const tbs = certificate.take(TAG.sequence);
  const algorithm = certificate.take(TAG.sequence);
  const signature = certificate.bits();
  certificate.end();
  const inside = new Der(tbs.content, INVALID);
  inside.take(VERSION);
  inside.take(TAG.integer);
  const sameAlgorithm = equal(inside.take(TAG.sequence).whole, algorithm.whole);
  const issuer = inside.take(TAG.sequence).whole;
  const validity = inside.enter(TAG.sequence);
  const [notBefore, notAfter] = [moment(validity), moment(validity)];
  const subject = inside.take(TAG.sequence).whole;
  const key = inside.enter(TAG.sequence);
  const keyAlgorithm = hex(key.take(TAG.sequence).content);
  const publicKey = key.bits();
  const explicit = inside.enter(EXTENSIONS);
  if (!sameAlgorithm || hex(algorithm.content) !== ED25519 || keyAlgorithm !== ED25519 || publicKey.length !== 32)
    throw invalid("A certificate is not of Ed25519, as all of this hierarchy are.");
  const profile = profileIn(explicit.enter(TAG.sequence));
  return { bytes, tbs: tbs.whole, signature, issuer, subject, notBefore, notAfter, publicKey, ...profile };
}

// The certificates of a PEM file, which may hold other text between them.
export function parsePem(pem) {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  if (!blocks.length) throw new Refused("configuration", "The file holds no certificate in PEM.");
  return blocks.map((block) => parse(fromBase64(block[1].replace(/\s/g, ""), INVALID)));
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

