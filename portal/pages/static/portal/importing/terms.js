// Terms from what the form says: what strongroom/protocol/terms.py encodes and checks. Nobody but the device reads them.

import { b64u, canonical, utf8 } from "./encoding.js";
import { Refused } from "./refused.js";
import { askedOf, checkSealedAt, duration, makeRevocation, makeStatus } from "./revocation.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
// What a public key without its private half can serve for.
export const PUBLIC_USAGES = ["verify", "encrypt", "hash"];

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

// A time in ISO 8601, UTC unless it says otherwise, or a duration from now; null for nothing.
export function moment(written, now) {
  if (!written) return null;
  if (/^\d+[smhd]$/.test(written)) return now + duration(written);
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(written);
  const parsed = found ? Date.parse(`${found[1]}T${found[2] ?? "00:00"}${found[3] ?? "Z"}`) : NaN;
  if (Number.isNaN(parsed)) throw refused(`“${written}” is neither a time as 2027-12-31T12:00 nor a duration as 90d.`);
  return Math.floor(parsed / 1000);
}

// The terms of a key. `given`: usages, mechanisms, authorisation, notBefore, notAfter, translateTo, revocation or null,
// status. `material`: key_type, public_only, chain; and of a key to be made `size`.
export async function makeTerms(given, material, registry, now) {
  const { usages, mechanisms, authorisation } = given;
  const { key_type, public_only, chain } = material;
  const terms = {
    v: 1, salt: b64u(crypto.getRandomValues(new Uint8Array(16))), key_type, usages, authorisation, mechanisms,
    not_before: moment(given.notBefore, now), not_after: moment(given.notAfter, now), translate_to: given.translateTo,
    material: public_only ? "public" : "secret", certificates: chain.map((one) => b64u(one.bytes)),
  };
  checkUses(terms, registry);
  if (terms.not_after !== null && terms.not_after <= now) throw refused("The end is in the past: nobody could ever use the key.");
  if (terms.not_before !== null && terms.not_after !== null && terms.not_before >= terms.not_after)
    throw refused("The validity ends before it begins.");
  if (terms.translate_to.length && !usages.includes("translate"))
    throw refused("Targets are named, but translate is not among the uses.");
  // Members that came later are left out where they say nothing.
  if (given.revocation) terms.revocation = await makeRevocation(given.revocation, now);
  checkSealedAt(terms, now);
  const status = makeStatus(given.status);
  if (status) terms.certificate_status = status;
  askedOf(status, chain);
  if (material.size) terms.size = material.size;
  return terms;
}

function checkUses({ key_type, usages, mechanisms, material }, registry) {
  if (!usages.length) throw refused("Say what the key may be used for.");
  const needPrivate = usages.filter((one) => !PUBLIC_USAGES.includes(one));
  if (material === "public" && needPrivate.length)
    throw refused(`The file holds a public key alone; to ${needPrivate.join(", ")} takes the private key.`);
  const permitted = mechanisms.length ? mechanisms : Object.keys(registry);
  for (const usage of usages)
    if (!permitted.some((one) => fits(registry, one, key_type, usage)))
      throw refused(`No permitted mechanism of ${key_type} can ${usage}.`);
  for (const one of mechanisms)
    if (!usages.some((usage) => fits(registry, one, key_type, usage))) throw refused(`${one} serves none of the usages.`);
}

// The bytes that are sealed.
export const encode = (terms) => utf8(canonical(terms));
