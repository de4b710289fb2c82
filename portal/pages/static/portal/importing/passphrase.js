// PKCS#8 under a passphrase (RFC 5958 §3), by PBES2 with PBKDF2 and AES-CBC (RFC 8018): what OpenSSL writes. WebCrypto
// does the cryptography; schemes that it does not have are refused with the command that converts them.

import { Der, der, TAG } from "./der.js";
import { fromHex, hex, utf8 } from "./encoding.js";
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
// What is written here: PBKDF2 with HMAC-SHA256, so often (0x0927c0), and AES-256.
const [ITERATIONS, ITERATIONS_IN_DER] = [600_000, "02030927c0"];
const [HMAC_SHA256, AES_256] = ["06082a864886f70d0209", "060960864801650304012a"];
const NOTHING = "0500";

async function keyOf(passphrase, salt, iterations, hash, length, use) {
  const base = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey({ name: "PBKDF2", salt, iterations, hash }, base, { name: "AES-CBC", length }, false, [use]);
}

// PKCS#8 in DER, under the passphrase.
export async function lock(plain, passphrase) {
  const [salt, iv] = [crypto.getRandomValues(new Uint8Array(16)), crypto.getRandomValues(new Uint8Array(16))];
  const key = await keyOf(passphrase, salt, ITERATIONS, "SHA-256", 256, "encrypt");
  const data = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, plain));
  const sequence = (...parts) => der(TAG.sequence, ...parts.map((one) => (typeof one === "string" ? fromHex(one) : one)));
  const octets = (bytes) => der(TAG.octets, bytes);
  const derivation = sequence(PBKDF2, sequence(octets(salt), ITERATIONS_IN_DER, sequence(HMAC_SHA256, NOTHING)));
  return sequence(sequence(PBES2, sequence(derivation, sequence(AES_256, octets(iv)))), octets(data));
}

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
  const key = await keyOf(passphrase, salt, iterations, hash, length, "decrypt");
  let plain;
  try {
    plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, data));
    // One wrong passphrase of 256 leaves padding that looks right; what it opens is no PKCS#8.
    const info = new Der(plain).enter(TAG.sequence);
    info.take(TAG.integer);
    info.take(TAG.sequence);
  } catch {
    throw new Refused("key-unparsable", "The passphrase is wrong, or the file is damaged.");
  }
  return plain;
}
