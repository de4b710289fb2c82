// Terms from what the form says: what strongroom/protocol/terms.py encodes and checks. Nobody but the device reads them.

import { b64u, canonical, digest, fromB64u, fromBase64, utf8 } from "./encoding.js";
import { Der, TAG } from "./der.js";
import { Refused } from "./refused.js";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const refused = (sentence) => new Refused("terms-refused", sentence);

export function checkName(name) {
  if (!NAME.test(name))
    throw new Refused("malformed", "A key's name has 1 to 64 letters, digits, dots, dashes or underlines.");
  if (name.startsWith("key_") || /\.v\d+$/.test(name))
    throw new Refused("malformed", "A key's name does not begin with key_, as ids do, or end like a version (.v2).");
}

// Whether the registry of mechanisms (mechanism → key_types, operations) has a row for the three.
export const fits = (registry, mechanism, keyType, usage) =>
  registry[mechanism].key_types.includes(keyType) && registry[mechanism].operations.includes(usage);

function duration(written) {
  const found = /^([1-9][0-9]{0,8})([smhd])$/.exec(written);
  if (!found) throw refused(`“${written}” is no duration: a number with s, m, h or d.`);
  return Number(found[1]) * SECONDS[found[2]];
}

// A time in ISO 8601, UTC unless it says otherwise, or a duration from now; null for nothing.
export function moment(written, now) {
  if (!written) return null;
  if (/^\d+[smhd]$/.test(written)) return now + duration(written);
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(written);
  const parsed = found ? Date.parse(`${found[1]}T${found[2] ?? "00:00"}${found[3] ?? "Z"}`) : NaN;
  if (Number.isNaN(parsed)) throw refused(`“${written}” is neither a time as 2027-12-31T12:00 nor a duration as 90d.`);
  return Math.floor(parsed / 1000);
}

function blocks(pem, label) {
  const found = pem.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, "g"));
  return [...found].map((one) => fromBase64(one[1].replace(/\s/g, ""), "terms-refused"));
}

// An endpoint that the device asks. `given`: url, token, pin (PEM), every, answerKey (PEM or "").
async function revocation(given) {
  let address = null;
  try {
    address = new URL(given.url);
  } catch {
    // Said below, in our own words.
  }
  const sound = address?.protocol === "https:" && !address.username && !/[#\\\s]/.test(given.url);
  if (!sound) throw refused("The revocation address is not https://host[:port]/path.");
  if (!/^[A-Za-z0-9._~+/-]{1,1024}={0,2}$/.test(given.token)) throw refused("The revocation token is not one that a bearer token may be.");
  const [certificates, publicKeys] = [blocks(given.pin, "CERTIFICATE"), blocks(given.pin, "PUBLIC KEY")];
  const pins = certificates.length + publicKeys.length;
  if (!certificates.length === !publicKeys.length || pins > 8)
    throw refused("The revocation server is pinned by 1 to 8 certificates or public keys in PEM, of one kind.");
  let answer_key = "";
  if (given.answerKey) {
    const spki = new Der(blocks(given.answerKey, "PUBLIC KEY")[0] ?? new Uint8Array(), "terms-refused").enter(TAG.sequence);
    spki.take(TAG.sequence);
    answer_key = b64u(spki.bits());
    if (fromB64u(answer_key).length !== 32) throw refused("The key of signed answers is no Ed25519 public key in PEM.");
  }
  return {
    url: given.url, token: given.token, certificates: certificates.map(b64u),
    public_keys: await Promise.all(publicKeys.map(digest)), every: duration(given.every), answer_key,
  };
}

// The terms of a key. `given`: usages, mechanisms, authorisation, notBefore, notAfter, translateTo, revocation or null.
export async function makeTerms(given, keyType, registry, now) {
  const { usages, mechanisms, authorisation } = given;
  const terms = {
    v: 1, salt: b64u(crypto.getRandomValues(new Uint8Array(16))), key_type: keyType, usages, authorisation, mechanisms,
    not_before: moment(given.notBefore, now), not_after: moment(given.notAfter, now), translate_to: given.translateTo,
    material: "secret", certificates: [],
  };
  if (!usages.length) throw refused("Say what the key may be used for.");
  const permitted = mechanisms.length ? mechanisms : Object.keys(registry);
  for (const usage of usages)
    if (!permitted.some((one) => fits(registry, one, keyType, usage)))
      throw refused(`No permitted mechanism of ${keyType} can ${usage}.`);
  for (const one of mechanisms)
    if (!usages.some((usage) => fits(registry, one, keyType, usage))) throw refused(`${one} serves none of the usages.`);
  if (terms.not_after !== null && terms.not_after <= now) throw refused("The end is in the past: nobody could ever use the key.");
  if (terms.not_before !== null && terms.not_after !== null && terms.not_before >= terms.not_after)
    throw refused("The validity ends before it begins.");
  if (terms.translate_to.length && !usages.includes("translate"))
    throw refused("Targets are named, but translate is not among the uses.");
  if (given.revocation) {
    terms.revocation = await revocation(given.revocation);
    if (terms.not_before !== null && terms.not_after !== null && terms.revocation.every > terms.not_after - terms.not_before)
      throw refused("The revocation interval is longer than the validity.");
  }
  return terms;
}

// The bytes that are sealed.
export const encode = (terms) => utf8(canonical(terms));
