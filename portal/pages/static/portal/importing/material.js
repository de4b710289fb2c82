// Key files into what the device takes: an unencrypted PKCS#8 in DER, or a symmetric key's bytes.
//
// What the command reads beyond that (strongroom/client/material), the browser cannot, or cannot test: it says so.

import { Der, TAG } from "./der.js";
import { base64, fromBase64, fromHex, hex, utf8 } from "./encoding.js";
import { Refused } from "./refused.js";

export const SECRET_BYTES = { "AES-128": 16, "AES-256": 32, ChaCha20: 32 };
export const SYMMETRIC = [...Object.keys(SECRET_BYTES), "HMAC"];
const CURVES = {
  "06082a8648ce3d030107": ["EC-P256", "P-256"],
  "06052b81040022": ["EC-P384", "P-384"],
  "06052b81040023": ["EC-P521", "P-521"],
};
const [RSA, EC, ED25519, X25519] = ["06092a864886f70d010101", "06072a8648ce3d0201", "06032b6570", "06032b656e"];
const PROBE = utf8("strongroom self-test");
const CONVERT = "Convert it: openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW. Or import it as it is with the command.";
const OTHERS = {
  "ENCRYPTED PRIVATE KEY": "The key is under a passphrase. The command asks for it.",
  "RSA PRIVATE KEY": `The file is PKCS#1. ${CONVERT}`,
  "EC PRIVATE KEY": `The file is SEC1. ${CONVERT}`,
  "OPENSSH PRIVATE KEY": "The file is an OpenSSH key. The command reads it.",
  "PUBLIC KEY": "The file holds a public key alone. The command imports it.",
  CERTIFICATE: "The file holds certificates. The command imports a key with its certificate.",
};

const unreadable = (sentence) => new Refused("key-unparsable", sentence);

// The key in a file. `keyType` and `encoding` ("raw" or "hex"): what the owner says of it, or "".
export async function readMaterial(data, keyType, encoding) {
  if (!data.length) throw unreadable("The file is empty.");
  const beginning = String.fromCharCode(...data.subarray(0, 65536));
  const labels = [...beginning.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map((found) => found[1]);
  let material;
  if (!encoding && labels.length) material = await keyPair(fromPem(beginning, labels), "PKCS#8 in PEM");
  else if (!encoding && /^\s*\{/.test(beginning)) throw unreadable("The file is JSON, perhaps a JWK. The command reads it.");
  else material = (await symmetricIn(data, keyType, encoding)) ?? (await keyPair(data, "PKCS#8 in DER"));
  if (keyType && keyType !== material.key_type)
    throw unreadable(`The file holds a key of type ${material.key_type}, and not ${keyType}.`);
  return material;
}

function fromPem(file, labels) {
  const private_ = labels.filter((label) => label.endsWith("PRIVATE KEY"));
  if (private_.length > 1) throw unreadable("The file holds several keys. Keep the one to import in it.");
  const label = private_[0] ?? labels[0];
  if (label !== "PRIVATE KEY") throw unreadable(OTHERS[label] ?? `The file holds a ${label.toLowerCase()}, and no private key.`);
  if (labels.includes("CERTIFICATE")) throw unreadable(OTHERS.CERTIFICATE);
  const body = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/.exec(file);
  if (!body) throw unreadable("The private key in the file is cut off or damaged.");
  return fromBase64(body[1].replace(/\s/g, ""), "key-unparsable");
}

// --- key pairs -------------------------------------------------------------------------------------------------------

// What a PKCS#8 says that it holds: the key's type, and WebCrypto's algorithm for it.
function algorithmOf(pkcs8) {
  const outer = new Der(pkcs8, "key-unparsable");
  const info = outer.enter(TAG.sequence);
  outer.end();
  info.take(TAG.integer);
  const identifier = info.enter(TAG.sequence);
  const oid = hex(identifier.take(TAG.oid).whole);
  if (oid === ED25519) return ["Ed25519", { name: "Ed25519" }];
  if (oid === X25519) return ["X25519", { name: "X25519" }];
  if (oid === RSA) return ["RSA", { name: "RSA-PSS", hash: "SHA-256" }];
  const curve = oid === EC && identifier.next === TAG.oid ? CURVES[hex(identifier.take(TAG.oid).whole)] : undefined;
  if (curve) return [curve[0], { name: "ECDSA", namedCurve: curve[1] }];
  throw unreadable("The browser cannot test a key of this kind; it can RSA, P-256, P-384, P-521, Ed25519 and X25519. The command knows more.");
}

async function keyPair(pkcs8, form) {
  let found;
  try {
    found = algorithmOf(pkcs8);
  } catch (error) {
    if (error.code === "key-unparsable" && error.message.startsWith("This is not DER"))
      throw unreadable("This is no key that the browser reads: an unencrypted PKCS#8 in PEM or DER, or a symmetric key raw or in hexadecimal.");
    throw error;
  }
  const [keyType, algorithm] = found;
  let key;
  try {
    key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, keyType === "X25519" ? ["deriveBits"] : ["sign"]);
  } catch {
    throw unreadable("The private key is damaged, or its private and public half do not belong together.");
  }
  const publicKey = await publicHalf(key, algorithm, keyType);
  if (keyType === "RSA") checkRsa(key);
  await selfTest(keyType, key, publicKey);
  const spki = base64(new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)));
  return {
    key_type: keyType,
    // As WebCrypto writes it: without attributes and whatever else was in the file.
    secret: new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)),
    form,
    public_key: `-----BEGIN PUBLIC KEY-----\n${spki.match(/.{1,64}/g).join("\n")}\n-----END PUBLIC KEY-----\n`,
    check_value: "",
  };
}

async function publicHalf(key, algorithm, keyType) {
  const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey("jwk", key);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e }));
  return crypto.subtle.importKey("jwk", jwk, algorithm, true, keyType === "X25519" ? [] : ["verify"]);
}

function checkRsa(key) {
  const { modulusLength, publicExponent } = key.algorithm;
  if (modulusLength < 2048 || modulusLength > 4096)
    throw new Refused("key-weak", `An RSA key of ${modulusLength} bits; accepted are 2048 to 4096.`);
  if (parseInt(hex(publicExponent), 16) < 65537)
    throw new Refused("key-weak", "An RSA key with a public exponent below 65537.");
}

// Use the key once, as the device will: its halves must belong together.
async function selfTest(keyType, key, publicKey) {
  const { subtle } = crypto;
  if (keyType === "X25519") {
    const other = await subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
    const ours = await subtle.deriveBits({ name: "X25519", public: other.publicKey }, key, 256);
    const theirs = await subtle.deriveBits({ name: "X25519", public: publicKey }, other.privateKey, 256);
    if (hex(new Uint8Array(ours)) === hex(new Uint8Array(theirs))) return;
  } else {
    const how = { Ed25519: "Ed25519", RSA: { name: "RSA-PSS", saltLength: 32 } }[keyType] ?? { name: "ECDSA", hash: "SHA-256" };
    if (await subtle.verify(how, publicKey, await subtle.sign(how, key, PROBE), PROBE)) return;
  }
  throw new Refused("key-self-test-failed", "The private and the public half do not belong together.");
}

// --- symmetric keys --------------------------------------------------------------------------------------------------

// The symmetric key in a file; null where nothing says that it is one. What could be read in two ways is refused.
async function symmetricIn(data, keyType, encoding) {
  const written = String.fromCharCode(...data.subarray(0, 4096)).trim();
  const digits = data.length <= 4096 && /^([0-9A-Fa-f]{2})+$/.test(written) ? written : "";
  const bySize = { 16: "AES-128", 32: "AES-256" };
  if (keyType && !SYMMETRIC.includes(keyType)) return null;
  if (encoding === "hex" && !digits) throw unreadable("The file does not hold hexadecimal digits, two for each byte.");
  let raw = data;
  if (encoding !== "raw" && digits) {
    const asText = keyType ? digits.length === SECRET_BYTES[keyType] : digits.length in bySize;
    if (!encoding && (keyType === "HMAC" || asText))
      throw unreadable(`The file holds ${digits.length} hexadecimal digits. Say whether they spell the key, or are the key themselves.`);
    raw = fromHex(digits);
  } else if (!encoding && !keyType && !(data.length in bySize)) {
    return null;
  }
  const type = keyType || bySize[raw.length];
  const form = raw === data ? "raw bytes" : "hexadecimal text";
  if (!type) throw unreadable(`${form} of ${raw.length} bytes: say which type the key is, for instance HMAC.`);
  return symmetric(raw, type, form);
}

async function symmetric(raw, keyType, form) {
  const size = SECRET_BYTES[keyType];
  if (keyType === "HMAC" && (raw.length < 16 || raw.length > 1024))
    throw new Refused("key-weak", `An HMAC key has 16 to 1024 bytes; this one has ${raw.length}.`);
  if (size && raw.length === size + 1 && raw.at(-1) === 10)
    throw unreadable(`A key of type ${keyType} followed by a line feed. Write the file without it.`);
  if (size && raw.length !== size) throw unreadable(`A key of type ${keyType} has ${size} bytes, and not ${raw.length}.`);
  return { key_type: keyType, secret: raw, form, public_key: "", check_value: await checkValue(raw, keyType) };
}

// PKCS#11's CKA_CHECK_VALUE: nothing is encrypted with it, and nothing rests on the hash's strength.
async function checkValue(raw, keyType) {
  if (!keyType.startsWith("AES-")) return hex(new Uint8Array(await crypto.subtle.digest("SHA-1", raw))).slice(0, 6);
  // The first block of CBC from a zero vector is ECB's, which WebCrypto does not have.
  const key = await crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt"]);
  const blocks = await crypto.subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, key, new Uint8Array(16));
  return hex(new Uint8Array(blocks)).slice(0, 6);
}
