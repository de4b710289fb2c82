// The device's receipt against what was sent: the checks of strongroom/client/receipts.py.

import { verifyStatement } from "./certificates.js";
import { digest, equal, fromBase64 } from "./encoding.js";
import { typeOfPublicKey } from "./public-keys.js";
import { Refused } from "./refused.js";
import { RECEIPT } from "./statements.js";
import { isSymmetric } from "./symmetric.js";

const FIELDS = ["import_id", "tenant", "partition", "owner", "device", "name", "version", "terms_digest", "origin"];

const mismatch = (what) => new Refused("receipt-mismatch", `The receipt is not for what was sent: ${what}. Treat the import as failed.`);

const der = (pem) => fromBase64(pem.replace(/-----[A-Z ]+-----|\s/g, ""), "receipt-mismatch");

function samePublicKey(one, other) {
  if (!one || !other) return one === other;
  try {
    return equal(der(one), der(other));
  } catch {
    return false;
  }
}

// The receipt names a key of this type: by a public key, or by the check value of a symmetric one.
async function checkMade(says, keyType) {
  if (says.key_type !== keyType) throw mismatch("the key is of another type than was asked for");
  const isNamed = isSymmetric(keyType)
    ? !says.public_key && /^[0-9a-f]{6}$/.test(says.check_value)
    : !says.check_value && (await typeOfPublicKey(says.public_key)) === keyType;
  if (!isNamed) throw mismatch("it does not name a key of its type");
}

// The receipt, if the header's device signed it and every field is that of what was sent.
// `sent`: `statement` and `header` of the envelope, and key_type, public_key and check_value of the key.
export async function checkReceipt(token, sent, roots, now) {
  // 1. A certified device signed it.
  const { says, signer } = await verifyStatement(token, RECEIPT, roots, "device", now);
  if (says.device !== signer.device) throw mismatch("it names another device than the one that signed it");
  // 2. It is for this import: the header's own digest, and each thing that the header names.
  const stated = Object.fromEntries(FIELDS.map((name) => [name, sent.statement[name]]));
  stated.header_digest = await digest(sent.header);
  for (const [name, value] of Object.entries(stated))
    if (says[name] !== value) throw mismatch(`its ${name} is another`);
  if (!says.key_id) throw mismatch("it names no key");
  // 3. It is for this key, or for one of its type that nobody here has seen.
  if (sent.statement.origin === "made") {
    await checkMade(says, sent.key_type);
    return says;
  }
  if (says.key_type !== sent.key_type || !samePublicKey(says.public_key, sent.public_key))
    throw mismatch("the public key is another");
  if (says.check_value.toLowerCase() !== sent.check_value) throw mismatch("the check value is another");
  return says;
}
