// Symmetric keys in files: raw bytes, or hexadecimal text. What could be either is never guessed.

import { fromHex, hex } from "./encoding.js";
import { Refused } from "./refused.js";

export const SECRET_BYTES = { "AES-128": 16, "AES-256": 32, ChaCha20: 32 };
// Those that are read here, and of those that there are.
export const SYMMETRIC = [...Object.keys(SECRET_BYTES), "HMAC"];
export const isSymmetric = (keyType) => keyType === "AES-192" || SYMMETRIC.includes(keyType);
const BY_SIZE = { 16: "AES-128", 32: "AES-256" };

const unreadable = (sentence) => new Refused("key-unparsable", sentence);

// The symmetric key in a file; null where nothing says that it is one.
export async function symmetricIn(data, keyType, encoding) {
  const written = String.fromCharCode(...data.subarray(0, 4096)).trim();
  const digits = data.length <= 4096 && /^([0-9A-Fa-f]{2})+$/.test(written) ? written : "";
  if (keyType && !SYMMETRIC.includes(keyType)) return null;
  if (encoding === "hex" && !digits) throw unreadable("The file does not hold hexadecimal digits, two for each byte.");
  let raw = data;
  if (encoding !== "raw" && digits) {
    const asText = keyType ? digits.length === SECRET_BYTES[keyType] : digits.length in BY_SIZE;
    if (!encoding && (keyType === "HMAC" || asText))
      throw unreadable(`The file holds ${digits.length} hexadecimal digits. Say whether they spell the key, or are the key themselves.`);
    raw = fromHex(digits);
  } else if (!encoding && !keyType && !(data.length in BY_SIZE)) {
    return null;
  }
  const type = keyType || BY_SIZE[raw.length];
  const form = raw === data ? "raw bytes" : "hexadecimal text";
  if (!type) throw unreadable(`${form} of ${raw.length} bytes: say which type the key is, for instance HMAC.`);
  return symmetric(raw, type, form);
}

// A symmetric key as material, if it has the length of its type.
export async function symmetric(raw, keyType, form) {
  const size = SECRET_BYTES[keyType];
  if (keyType === "HMAC" && (raw.length < 16 || raw.length > 1024))
    throw new Refused("key-weak", `An HMAC key has 16 to 1024 bytes; this one has ${raw.length}.`);
  if (size && raw.length === size + 1 && raw.at(-1) === 10)
    throw unreadable(`A key of type ${keyType} followed by a line feed. Write the file without it.`);
  if (size && raw.length !== size) throw unreadable(`A key of type ${keyType} has ${size} bytes, and not ${raw.length}.`);
  return {
    key_type: keyType, secret: raw, form, public_key: "", check_value: await checkValue(raw, keyType),
    public_only: false, chain: [],
  };
}

// PKCS#11's CKA_CHECK_VALUE: nothing is encrypted with it, and nothing rests on the hash's strength.
async function checkValue(raw, keyType) {
  if (!keyType.startsWith("AES-")) return hex(new Uint8Array(await crypto.subtle.digest("SHA-1", raw))).slice(0, 6);
  // The first block of CBC from a zero vector is ECB's, which WebCrypto does not have.
  const key = await crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt"]);
  const blocks = await crypto.subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, key, new Uint8Array(16));
  return hex(new Uint8Array(blocks)).slice(0, 6);
}
