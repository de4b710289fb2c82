// What an owner's signature would change, read from the very bytes that it would sign, and against the list in force.

import { canonical } from "../importing/encoding.js";
import { beyondReach, readList } from "../importing/editing.js";
import { credential } from "../importing/judging.js";
import { readJson } from "../importing/jws.js";
import { Refused } from "../importing/refused.js";
import { ACCESS_LIST } from "../importing/statements.js";

const conflict = (sentence) => new Refused("access-list-conflict", sentence);

const nobodyListed = (partition, own) => ({ partition, owners: [{ x: own.x }], editors: [], principals: [] });

function sayChange(name, before, after) {
  if (!before) return `${name} is listed, and may ${after.rights.join(", ")}.`;
  if (!after) return `${name} is taken off the list, and may do nothing here any more.`;
  const without = (some, others) => some.filter((one) => !others.includes(one));
  const [more, less] = [without(after.rights, before.rights), without(before.rights, after.rights)];
  const said = [];
  if (more.length) said.push(`may also ${more.join(", ")}`);
  if (less.length) said.push(`may no longer ${less.join(", ")}`);
  if (after.label !== before.label) said.push(`is called “${after.label}”`);
  return said.length ? `${name} ${said.join(", and ")}.` : "";
}

async function checkPrincipal({ principal, credential: key = null, rights }) {
  const refused = (sentence) => new Refused("malformed", sentence);
  if (!rights.length) throw refused(`${principal} would be listed, and may do nothing.`);
  if (principal.startsWith("device:")) {
    if (!key || `device:${(await credential(key)).fingerprint}` !== principal) throw refused(`${principal} would be listed with another device's key.`);
  } else if (!principal.startsWith("client:") || key) throw refused(`${principal} is neither a device nor an API client.`);
}

// `statement`: what is to be signed, and `words` what it changes, if it follows `known`, the list in force that was
// verified, and leaves partition, owners and security keys as they are. `browser`: this browser's own principal.
export async function review(written, known, { partition, own, browser }) {
  const found = readJson(written);
  if (canonical(found) !== written) throw new Refused("statement-malformed", "The list is not in canonical JSON.");
  const following = ACCESS_LIST.read(found);
  const before = known.document ? readList(known.document) : nobodyListed(partition, own);
  // 1. It follows the list in force.
  if (following.partition !== partition) throw new Refused("wrong-partition", "The list that you were to sign is of another partition.");
  if (following.version !== known.version + 1 || following.previous !== known.digest)
    throw conflict("The list that you were to sign does not follow the one in force. Go back, and make your change again.");
  // 2. It leaves alone what the owner changes by command only.
  if (canonical(beyondReach(following)) !== canonical(beyondReach(before)))
    throw new Refused("owner-mismatch", "The list that you were to sign changes the partition's owners or security keys, which nobody asked for here.");
  // 3. Whom it lists, each once and as itself.
  const [was, is] = [before, following].map((list) => new Map(list.principals.map((one) => [one.principal, { label: "", ...one }])));
  if (is.size !== following.principals.length) throw new Refused("malformed", "Somebody stands in the list twice.");
  for (const one of following.principals) await checkPrincipal(one);
  // 4. In words.
  const words = [...new Set([...was.keys(), ...is.keys()])].map((principal) => {
    const label = principal === browser ? "This browser" : (was.get(principal) ?? is.get(principal)).label;
    return sayChange(label ? `${label} (${principal})` : principal, was.get(principal), is.get(principal));
  });
  const said = words.filter(Boolean);
  if (!said.length) throw new Refused("malformed", "The list that you were to sign changes nothing.");
  return { statement: found, words: said };
}
