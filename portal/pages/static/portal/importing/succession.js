// A new version of a key: what it follows, and that its terms are not looser without the owner's consent, as
// strongroom/client/imports.py, client/kept_terms.py and protocol/terms.py have it.

import { verifyStatement } from "./certificates.js";
import { canonical, digest, text } from "./encoding.js";
import { BY_COMMAND, Refused } from "./refused.js";
import { RECEIPT } from "./statements.js";

// Seconds for which the status of a certificate holds where the terms do not say.
const LONGEST = 7 * 24 * 3600;

const AS_NEXT = "Choose another name, or make this its next version.";

const mismatch = (sentence) => new Refused("receipt-mismatch", sentence);

// What the receipt of the newest version says, as the device signed it. `reference`: the key's id, or its name again.
// Throws `Refused("not-found")` where there is none.
export async function newest(portal, reference, name, { partition, owner, roots }, now) {
  const { receipt } = await portal.get(`keys/${encodeURIComponent(reference)}/receipt`);
  const { says, signer } = await verifyStatement(receipt, RECEIPT, roots, "device", now);
  if (says.device !== signer.device) throw mismatch("The receipt names another device than the one that signed it.");
  if (says.name !== name) throw mismatch("The portal gave the receipt of another key.");
  if (says.partition !== partition) throw new Refused("wrong-partition", `The key ${name} is in another partition: choose that in step 3.`);
  if (says.owner !== owner) throw mismatch("The receipt is of another owner's key.");
  return says;
}

// Throws `Refused("name-taken")` where this browser sent a key of this name and version before, and nobody said that
// nothing came of it. `sent`: what it keeps of that partition's imports. Of others' keys the device will tell.
export function checkFree(sent, name, version) {
  const before = sent.filter((one) => one.name === name && (version === 1 ? one.receipt : one.version === version));
  const unsettled = sent.some((one) => one.name === name && one.version === version && !one.receipt);
  if (unsettled)
    throw new Refused("name-taken", `${name}, version ${version}, was sent from here, and its receipt has not been seen. Ask first what became of it, at the top of this page.`);
  if (before.length) throw new Refused("name-taken", `There is a key ${name} already, by a receipt that this browser checked. ${AS_NEXT}`);
}

// The terms in a file that was saved here or that the command keeps, if they are those of this version.
export async function termsBefore(data, before) {
  if ((await digest(data)) !== before.terms_digest)
    throw new Refused("terms-refused", `These are not the terms of version ${before.version}: their digest is another than its receipt's.`);
  return JSON.parse(text(data));
}

const within = (some, all) => some.every((one) => all.includes(one));

// Usages with what they imply: rewrap, which gives less than translate, or encrypt with decrypt.
function withImplied(usages) {
  const rewraps = usages.includes("translate") || within(["encrypt", "decrypt"], usages);
  return rewraps ? [...usages, "rewrap"] : usages;
}

function revocationIsLooser(next, before) {
  if (!before) return false;
  if (!next) return true;
  const same = ({ token, every, ...rest }) => canonical(rest);
  return next.every > before.every || same(next) !== same(before);
}

function statusIsLooser(next, before) {
  if (before?.method === "none") return false;
  if (next?.method === "none") return true;
  if (!before) return false;
  if (!next) return true;
  const other = next.method !== before.method || next.url !== before.url;
  return other || (next.every || LONGEST) > (before.every || LONGEST);
}

// The names of the terms in which `next` permits anything that `before` does not.
export function looser(next, before, registry) {
  const all = Object.keys(registry);
  const mechanisms = (terms) => (terms.mechanisms.length ? terms.mechanisms : all);
  const found = {
    key_type: next.key_type !== before.key_type,
    material: next.material !== before.material,
    usages: !within(next.usages, withImplied(before.usages)),
    mechanisms: !within(mechanisms(next), mechanisms(before)),
    authorisation: before.authorisation === "signed" && next.authorisation !== "signed",
    not_before: (before.not_before ?? 0) > (next.not_before ?? 0),
    not_after: before.not_after !== null && (next.not_after === null || next.not_after > before.not_after),
    translate_to: !before.translate_to.includes("*") && !within(next.translate_to, before.translate_to),
    revocation: revocationIsLooser(next.revocation, before.revocation),
    certificate_status: statusIsLooser(next.certificate_status, before.certificate_status),
  };
  return Object.keys(found).filter((name) => found[name]);
}

const needsConsent = (sentence) =>
  new Refused("terms-looser", `${sentence} Only the owner can consent to that, with the owner credential, which no page may have. Where it is:`, `${BY_COMMAND} --owner-consent`);

// Throws `Refused("terms-looser")` where `next` is looser: than `terms`, the earlier ones, where their file was chosen;
// else in what the receipt tells, the key's type. Of the rest only the device can tell.
export function checkSuccession(next, before, terms, registry) {
  const named = terms ? looser(next, terms, registry) : next.key_type !== before.key_type ? ["key_type"] : [];
  if (named.length) throw needsConsent(`Looser than in version ${before.version}: ${named.join(", ")}.`);
}

// What the device says without naming a term, in words that lead on.
export function inWords(error) {
  if (error.code === "name-taken") return new Refused(error.code, `There is a key of this name already. ${AS_NEXT}`);
  if (error.code !== "terms-looser") return error;
  return needsConsent("The device finds these terms looser than those of the version before; which of them, the provider may not learn, so it does not say. The file of the earlier terms, if you have it, tells.");
}
