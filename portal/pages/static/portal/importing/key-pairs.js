// Key pairs and public keys, which WebCrypto reads, tests and writes anew: what it does not know is refused.

import { Der, TAG } from "./der.js";
import { hex, utf8 } from "./encoding.js";
import * as pem from "./pem.js";
import { BY_COMMAND, Refused } from "./refused.js";

const CURVES = {
  "06082a8648ce3d030107": ["EC-P256", "P-256"],
  "06052b81040022": ["EC-P384", "P-384"],
  "06052b81040023": ["EC-P521", "P-521"],
};
const [RSA, EC, ED25519, X25519] = ["06092a864886f70d010101", "06072a8648ce3d0201", "06032b6570", "06032b656e"];
const PROBE = utf8("strongroom self-test");
const RSA_PSS = { name: "RSA-PSS", hash: "SHA-256" };
// Of a key with its private half; what others signed with a smaller one may still be verified.
const LEAST_EXPONENT = 65537;

const unreadable = (sentence, ...ways) => new Refused("key-unparsable", sentence, ...ways);

// The type of key that an AlgorithmIdentifier names, and WebCrypto's algorithm for it.
function algorithmOf(identifier) {
  const oid = hex(identifier.take(TAG.oid).whole);
  if (oid === ED25519) return ["Ed25519", { name: "Ed25519" }];
  if (oid === X25519) return ["X25519", { name: "X25519" }];
  if (oid === RSA) return ["RSA", RSA_PSS];
  const curve = oid === EC && identifier.next === TAG.oid ? CURVES[hex(identifier.take(TAG.oid).whole)] : undefined;
  if (curve) return [curve[0], { name: "ECDSA", namedCurve: curve[1] }];
  throw unknownKind();
}

export const unknownKind = () =>
  unreadable("The browser cannot test a key of this kind; it can RSA, P-256, P-384, P-521, Ed25519 and X25519. The command knows more:", BY_COMMAND);

const privateUses = (keyType) => (keyType === "X25519" ? ["deriveBits"] : ["sign"]);
const publicUses = (keyType) => (keyType === "X25519" ? [] : ["verify"]);

// The key in a PKCS#8 in DER.
export async function fromPkcs8(pkcs8, form) {
  const info = new Der(pkcs8, "key-unparsable").enter(TAG.sequence);
  info.take(TAG.integer);
  const [keyType, algorithm] = algorithmOf(info.enter(TAG.sequence));
  let key;
  try {
    key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, privateUses(keyType));
  } catch {
    throw unreadable("The private key is damaged, its halves do not belong together, or it is written in a way that the browser does not read. Perhaps the command does:", BY_COMMAND);
  }
  return keyPair(keyType, algorithm, key, form);
}

// The key in a SubjectPublicKeyInfo in DER: there is no private half.
export async function fromSpki(spki, form) {
  const [keyType, algorithm] = algorithmOf(new Der(spki, "key-unparsable").enter(TAG.sequence).enter(TAG.sequence));
  let key;
  try {
    key = await crypto.subtle.importKey("spki", spki, algorithm, true, publicUses(keyType));
  } catch {
    throw unreadable("The public key in the file is damaged.");
  }
  return publicHalf(keyType, key, form);
}

const JWK_KINDS = {
  "RSA ": ["RSA", RSA_PSS],
  "EC P-256": ["EC-P256", { name: "ECDSA", namedCurve: "P-256" }],
  "EC P-384": ["EC-P384", { name: "ECDSA", namedCurve: "P-384" }],
  "EC P-521": ["EC-P521", { name: "ECDSA", namedCurve: "P-521" }],
  "OKP Ed25519": ["Ed25519", { name: "Ed25519" }],
  "OKP X25519": ["X25519", { name: "X25519" }],
};

// The key of a JWK, private or public.
export async function fromJwk(jwk) {
  const [keyType, algorithm] = JWK_KINDS[`${jwk.kty} ${jwk.crv ?? ""}`] ?? [];
  if (!keyType) throw unknownKind();
  // What else stands in it, such as `use` and `alg`, is no part of the key.
  const members = ["kty", "crv", "n", "e", "x", "y", "d", "p", "q", "dp", "dq", "qi"].filter((name) => name in jwk);
  const bare = Object.fromEntries(members.map((name) => [name, jwk[name]]));
  const isPrivate = "d" in bare;
  let key;
  try {
    key = await crypto.subtle.importKey("jwk", bare, algorithm, true, isPrivate ? privateUses(keyType) : publicUses(keyType));
  } catch {
    throw unreadable("The JWK's members do not make a key: one is missing, or its halves do not fit.");
  }
  if (!isPrivate) return publicHalf(keyType, key, "JWK (public)");
  return keyPair(keyType, algorithm, key, "JWK");
}

async function keyPair(keyType, algorithm, key, form) {
  const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey("jwk", key);
  const jwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e }));
  const publicKey = await crypto.subtle.importKey("jwk", jwk, algorithm, true, publicUses(keyType));
  if (keyType === "RSA") checkRsa(key, LEAST_EXPONENT);
  await selfTest(keyType, key, publicKey);
  // As WebCrypto writes it: without attributes and whatever else was in the file.
  const secret = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  return { ...(await publicHalf(keyType, publicKey, form)), secret, public_only: false };
}

async function publicHalf(keyType, key, form) {
  if (keyType === "RSA") checkRsa(key, 3);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", key));
  return {
    key_type: keyType, secret: spki, form, public_key: pem.write(spki, "PUBLIC KEY"), check_value: "",
    public_only: true, chain: [],
  };
}

function checkRsa(key, leastExponent) {
  const { modulusLength, publicExponent } = key.algorithm;
  if (modulusLength < 2048 || modulusLength > 4096)
    throw new Refused("key-weak", `An RSA key of ${modulusLength} bits; accepted are 2048 to 4096.`);
  if (parseInt(hex(publicExponent), 16) < leastExponent)
    throw new Refused("key-weak", `An RSA key with a public exponent below ${leastExponent}.`);
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
