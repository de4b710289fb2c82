// PKCS#8 under a passphrase (RFC 5958 §3), by PBES2 with PBKDF2 and AES-CBC (RFC 8018): what OpenSSL writes. WebCrypto
// does the cryptography; schemes that it does not have are refused with the command that converts them.

import { Der, TAG } from "./der.js";
import { hex, utf8 } from "./encoding.js";
import { BY_COMMAND, Refused } from "./refused.js";

const [PBES2, PBKDF2] = ["06092a864886f70d01050d", "06092a864886f70d01050c"];
const HASHES = {
  "06082a864886f70d0207": "SHA-1",
  "06082a864886f70d0209": "SHA-256",
  "06082a864886f70d020a": "SHA-384",
  "06082a864886f70d020b": "SHA-512",
};
// AES-192 not every browser has.
const CIPHERS = { "060960864801650304012a": 256, "0609608648016503040102": 128 };
const MOST_ITERATIONS = 10_000_000;

const other = () =>
  new Refused(
    "key-unparsable",
    "The key is under a passphrase in a way that the browser cannot undo. Write it anew, under the same passphrase or another, or import it as it is:",
    "openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW",
    BY_COMMAND,
  );

function parametersOf(encrypted) {
  const info = new Der(encrypted, "key-unparsable").enter(TAG.sequence);
  const scheme = info.enter(TAG.sequence);
  if (hex(scheme.take(TAG.oid).whole) !== PBES2) throw other();
  const both = scheme.enter(TAG.sequence);
  const [derivation, cipher] = [both.enter(TAG.sequence), both.enter(TAG.sequence)];
  if (hex(derivation.take(TAG.oid).whole) !== PBKDF2) throw other();
  const given = derivation.enter(TAG.sequence);
  if (given.next !== TAG.octets) throw other();
  const salt = given.take(TAG.octets).content;
  const iterations = given.number();
  given.maybe(TAG.integer);
  const hash = given.next === TAG.sequence ? HASHES[hex(given.enter(TAG.sequence).take(TAG.oid).whole)] : "SHA-1";
  const length = CIPHERS[hex(cipher.take(TAG.oid).whole)];
  if (!hash || !length || iterations < 1 || iterations > MOST_ITERATIONS) throw other();
  return { salt, iterations, hash, length, iv: cipher.take(TAG.octets).content, data: info.take(TAG.octets).content };
}

// The PKCS#8 in DER. Whoever gets it overwrites it after use.
export async function unlock(encrypted, passphrase) {
  const { salt, iterations, hash, length, iv, data } = parametersOf(encrypted);
  if (!passphrase) throw new Refused("key-unparsable", "The key is under a passphrase. Fill it in: it stays in this browser.");
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", salt, iterations, hash };
  const key = await subtle.deriveKey(derivation, base, { name: "AES-CBC", length }, false, ["decrypt"]);
  let plain;
  try {
    plain = new Uint8Array(await subtle.decrypt({ name: "AES-CBC", iv }, key, data));
    // One wrong passphrase of 256 leaves padding that looks right; what it opens is no PKCS#8.
    const info = new Der(plain).enter(TAG.sequence);
    info.take(TAG.integer);
    info.take(TAG.sequence);
  } catch {
    throw new Refused("key-unparsable", "The passphrase is wrong, or the file is damaged.");
  }
  return plain;
}
