// Who may revoke a key: the customer's own endpoint (strongroom/client/revocation.py, protocol/revocation.py), and the
// issuer of its certificate (protocol/certificate_status.py). Judged here as the device will, and as the command does.

import { Der, TAG } from "./der.js";
import { b64u, digest } from "./encoding.js";
import * as pem from "./pem.js";
import { Refused } from "./refused.js";
import { isAuthority, isFor, ownAddress, parse } from "./x509.js";

const CODE = "terms-refused";
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const MOST_PINS = 8;
const ED25519 = "MCowBQYDK2Vw";

const refused = (sentence) => new Refused(CODE, sentence);

export function duration(written) {
  const found = /^([1-9][0-9]{0,8})([smhd])$/.exec(written);
  if (!found) throw refused(`“${written}” is no duration: a number with s, m, h or d.`);
  return Number(found[1]) * SECONDS[found[2]];
}

function checkAddress(url) {
  const authority = url.slice("https://".length).split(/[/?]/)[0];
  const sound = /^https:\/\/[!-~]{1,2000}$/.test(url) && !/[#\\]/.test(url) && authority && !authority.startsWith(":") && !authority.includes("@");
  if (!sound || !URL.canParse(url)) throw refused("The revocation address is not https://host[:port]/path.");
}

function publicKeyIn(der) {
  const outer = new Der(der, CODE);
  const inside = outer.enter(TAG.sequence);
  outer.end();
  inside.take(TAG.sequence);
  inside.bits();
  inside.end();
  return der;
}

function answerKey(written) {
  const [found] = pem.blocks(written, "PUBLIC KEY", CODE);
  // A SubjectPublicKeyInfo of Ed25519 has these bytes before its 32.
  if (found?.length !== 44 || !b64u(found).startsWith(ED25519))
    throw refused("The key of signed answers is no Ed25519 public key in PEM.");
  return b64u(found.subarray(12));
}

// Sealed terms cannot be mended: a pin that never fits would make the key useless.
function checkPins(certificates, url, now) {
  if (!certificates.length) return;
  if (certificates.every((one) => one.notAfter <= now)) throw refused("The pinned certificate has expired.");
  if (!certificates.some((one) => isAuthority(one) || isFor(one, url)))
    throw refused(`The pinned certificate is not for ${new URL(url).hostname}.`);
}

// An endpoint that the device asks. `given`: url, token, pin (PEM), every, answerKey (PEM or "").
export async function makeRevocation(given, now) {
  checkAddress(given.url);
  if (!/^[A-Za-z0-9._~+/-]{1,1024}={0,2}$/.test(given.token)) throw refused("The revocation token is not one that a bearer token may be.");
  const certificates = pem.blocks(given.pin, "CERTIFICATE", CODE).map((one) => parse(one, CODE));
  const keys = pem.blocks(given.pin, "PUBLIC KEY", CODE).map(publicKeyIn);
  const pins = certificates.length + keys.length;
  if (!certificates.length === !keys.length || pins > MOST_PINS)
    throw refused(`The revocation server is pinned by 1 to ${MOST_PINS} certificates or public keys in PEM, of one kind.`);
  checkPins(certificates, given.url, now);
  return {
    url: given.url, token: given.token, certificates: certificates.map((one) => b64u(one.bytes)),
    public_keys: await Promise.all(keys.map(digest)), every: duration(given.every),
    answer_key: given.answerKey ? answerKey(given.answerKey) : "",
  };
}

// What is stated of the status of the key's own certificate, or null. `given`: method, url, every.
export function makeStatus({ method, url, every }) {
  if (!method && (url || every)) throw refused("The status of the certificate: by which method, ocsp or crl?");
  return method ? { method, url, every: every ? duration(every) : 0 } : null;
}

// What the device then asks about the key's own certificate: a method and an address, or null.
export function askedOf(stated, chain) {
  const counts = stated === null || stated.method !== "none";
  if (stated && counts && !chain.length) throw refused("The status of a certificate is asked for, and there is none.");
  if (!chain.length || !counts) return null;
  const own = ownAddress(chain[0], stated?.method ?? "");
  const method = stated?.method ?? own.method;
  const url = stated?.url || own.url;
  if (stated && !url) throw refused(`The certificate names no address for ${method}, nor do the terms.`);
  if (!url) return null;
  if (!/^https?:\/\/[!-~]*$/.test(url)) throw refused("The address of the certificate's status is not http or https.");
  if (chain.length < 2)
    throw refused(`The certificate's status is asked by ${method} at ${url}: its issuer's certificate is needed too, or say that the status does not count.`);
  return { method, url };
}

// Raise where one answer would outlast the whole validity of a key sealed now.
export function checkSealedAt(terms, now) {
  if (!terms.revocation || terms.not_after === null) return;
  if (terms.revocation.every > terms.not_after - Math.max(now, terms.not_before ?? 0))
    throw refused("The revocation interval is longer than the validity.");
}
