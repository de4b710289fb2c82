// Key files into what the device takes: an unencrypted PKCS#8 or SubjectPublicKeyInfo in DER, or a symmetric key's bytes.
//
// As strongroom/client/material. What the browser cannot read, or cannot test, is refused with the command that converts
// it, and with the one that imports it as it is.

import { der, Der, TAG } from "./der.js";
import { fromB64u, fromBase64, fromHex, latin1, text } from "./encoding.js";
import { fromJwk, fromPkcs8, fromSpki } from "./key-pairs.js";
import { unlock } from "./passphrase.js";
import * as pem from "./pem.js";
import { BY_COMMAND, Refused } from "./refused.js";
import { symmetric, SYMMETRIC, symmetricIn } from "./symmetric.js";
import { certificatesIn, leaf, ownChain, parse } from "./x509.js";

const unreadable = (sentence, ...ways) => new Refused("key-unparsable", sentence, ...ways);
const NO_KEY =
  "This is no key that the browser reads: PKCS#8 (under a passphrase too), PKCS#1, SEC1, a public key or certificate in PEM or DER, a JWK, or a symmetric key raw or in hexadecimal. The command reads more:";
const PKCS8 = "openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW";

const pkcs12 = () =>
  unreadable(
    "The file is PKCS#12, whose integrity browsers cannot check. Take key and certificates out of it, under a passphrase again, or import it as it is:",
    "openssl pkcs12 -in FILE -out NEW",
    BY_COMMAND,
  );
const FOREIGN = [
  ["PuTTY-User-Key-File", () => unreadable("The file holds a PuTTY key. Convert it:", "puttygen FILE -O private-openssh -o NEW", "ssh-keygen -p -m PKCS8 -f NEW")],
  ["\xfe\xed\xfe\xed", () => unreadable("The file is a Java keystore. Convert it:", "keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype PKCS12", "openssl pkcs12 -in NEW.p12 -out NEW.pem")],
  ["-----BEGIN PGP", () => unreadable("The file holds an OpenPGP key, which is not accepted.")],
  ["---- BEGIN SSH2", () => unreadable("The file holds an SSH2 public key. Convert it:", "ssh-keygen -i -f FILE | ssh-keygen -e -m PKCS8 -f /dev/stdin")],
  ["ssh-ed25519 ", () => sshEd25519()],
  ["ssh-", () => sshPublic()],
  ["ecdsa-sha2-", () => sshPublic()],
];
// ssh-keygen writes these keys in OpenSSH's own form alone.
const sshEd25519 = () => unreadable("The file is an Ed25519 key in OpenSSH's own form. The command reads it:", BY_COMMAND);
const sshPublic = () =>
  unreadable("The file is a public key of OpenSSH. Convert it, or import it as it is:", "ssh-keygen -e -m PKCS8 -f FILE >NEW", BY_COMMAND);

// The key in a file. `said`: what its owner says, each of it or nothing: `keyType`, `encoding` ("raw" or "hex") of a
// symmetric key, `passphrase`, and `certificate`, another file's bytes.
// Gives key_type, secret, form, public_key, check_value, public_only, and chain (certificates, the key's own first).
export async function readMaterial(data, said = {}) {
  const { keyType = "", certificate = null } = said;
  if (!data.length) throw unreadable("The file is empty.");
  const material = await read(data, said);
  if (keyType && keyType !== material.key_type)
    throw unreadable(`The file holds a key of type ${material.key_type}, and not ${keyType}.`);
  if (!certificate) return material;
  if (SYMMETRIC.includes(material.key_type)) throw new Refused("certificate-mismatch", "A symmetric key has no certificate.");
  return withChain(material, certificatesIn(certificate));
}

// Whether the file holds a private key under a passphrase that this page can undo.
export function needsPassphrase(data) {
  const written = latin1(data);
  if (pem.labels(written).length) return pem.labels(written).includes("ENCRYPTED PRIVATE KEY");
  return kindOf(data) === "encrypted";
}

async function read(data, { keyType = "", encoding = "", passphrase = "" }) {
  const written = latin1(data);
  // 1. What says itself what it is: text with a beginning of its own.
  const foreign = FOREIGN.find(([beginning]) => written.startsWith(beginning));
  if (foreign) throw foreign[1]();
  if (!encoding) {
    if (pem.labels(written).length) return fromPem(data, written, passphrase);
    const jwk = jwkIn(written, data);
    if (jwk) return jwk.kty === "oct" ? octets(jwk, keyType) : jwkWithChain(jwk);
  }
  // 2. A symmetric key, where the owner or the length says so; else DER.
  return (await symmetricIn(data, keyType, encoding)) ?? fromDer(data, passphrase);
}

const publicKeyOf = (material) => pem.blocks(material.public_key, "PUBLIC KEY", "key-unparsable")[0];

async function withChain(material, certificates) {
  return { ...material, chain: await ownChain(certificates, publicKeyOf(material)) };
}

// --- PEM -------------------------------------------------------------------------------------------------------------

const CERTIFICATES = ["CERTIFICATE", "X509 CERTIFICATE"];

async function fromPem(data, written, passphrase) {
  const labels = pem.labels(written);
  const isKey = (end) => labels.filter((label) => label.endsWith(end));
  const [private_, public_] = [isKey("PRIVATE KEY"), isKey("PUBLIC KEY")];
  if (private_.length > 1 || (!private_.length && public_.length > 1))
    throw unreadable("The file holds several keys. Keep the one to import in it.");
  const label = private_[0] ?? public_[0];
  const hasCertificates = labels.some((one) => CERTIFICATES.includes(one));
  if (!label && !hasCertificates)
    throw unreadable(`The file holds a ${labels[0].toLowerCase()}, and neither a key nor a certificate.`);
  if (!label) return fromCertificates(certificatesIn(data));
  const material = await keyInPem(written, label, passphrase);
  return hasCertificates ? withChain(material, certificatesIn(data)) : material;
}

async function keyInPem(written, label, passphrase) {
  if (label === "OPENSSH PRIVATE KEY") throw sshPrivate(written);
  if (written.includes("Proc-Type: 4,ENCRYPTED"))
    throw unreadable("The key is under a passphrase in OpenSSL's old way, which browsers do not have. Write it anew, or import it as it is:", PKCS8, BY_COMMAND);
  const [body] = pem.blocks(written, label, "key-unparsable");
  if (!body) throw unreadable("The key in the file is cut off or damaged.");
  switch (label) {
    case "PRIVATE KEY":
      return sound(() => fromPkcs8(body, "PKCS#8 in PEM"));
    case "ENCRYPTED PRIVATE KEY":
      return sound(() => locked(body, passphrase, "PKCS#8 in PEM under a passphrase"));
    case "RSA PRIVATE KEY":
      return sound(() => fromPkcs8(aroundPkcs1(body), "PKCS#1 in PEM"));
    case "EC PRIVATE KEY":
      return sound(() => fromPkcs8(aroundSec1(body), "SEC1 in PEM"));
    case "PUBLIC KEY":
      return sound(() => fromSpki(body, "public key"));
    case "RSA PUBLIC KEY":
      return sound(() => fromSpki(der(TAG.sequence, RSA, der(TAG.bits, Uint8Array.of(0), body)), "public key"));
    default:
      throw unreadable(`The file holds a ${label.toLowerCase()}. Perhaps one of these helps:`, PKCS8, BY_COMMAND);
  }
}

function sshPrivate(written) {
  const [body] = pem.blocks(written, "OPENSSH PRIVATE KEY", "key-unparsable");
  if (body && latin1(body).includes("ssh-ed25519")) return sshEd25519();
  return unreadable("The file is a private key in OpenSSH's own form. Convert it (make a copy first: it is changed where it is), or import it as it is:", "ssh-keygen -p -m PKCS8 -f FILE", BY_COMMAND);
}

// What is not DER is no key.
async function sound(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code === "key-unparsable" && error.message.startsWith("This is not DER")) throw unreadable("The key in the file is cut off or damaged.");
    throw error;
  }
}

async function locked(encrypted, passphrase, form) {
  const plain = await unlock(encrypted, passphrase);
  try {
    return await fromPkcs8(plain, form);
  } finally {
    plain.fill(0);
  }
}

async function fromCertificates(certificates) {
  const own = await leaf(certificates);
  return withChain(await fromSpki(own.spki, "certificate"), certificates);
}

// --- DER -------------------------------------------------------------------------------------------------------------

// AlgorithmIdentifier of rsaEncryption.
const RSA = fromHex("300d06092a864886f70d0101010500");
const EC = fromHex("06072a8648ce3d0201");
const [ZERO, CURVE] = [fromHex("020100"), 0xa0];

// What a file in DER is, by its first elements; "" for what is none of these.
function kindOf(data) {
  if (/^\x30(?:\x80|\x81[^]|\x82[^]{2}|\x83[^]{3}|[\x00-\x7f])\x02\x01\x03/.test(String.fromCharCode(...data.subarray(0, 9)))) return "pkcs12";
  try {
    const outer = new Der(data);
    const inside = outer.enter(TAG.sequence);
    outer.end();
    const [first, second] = [inside.any().tag, inside.next];
    if (first === TAG.integer) return { [TAG.sequence]: "pkcs8", [TAG.integer]: "pkcs1", [TAG.octets]: "sec1" }[second] ?? "";
    if (first === TAG.sequence) return { [TAG.bits]: "spki", [TAG.octets]: "encrypted", [TAG.sequence]: "certificate" }[second] ?? "";
  } catch {
    // Said by whoever asked.
  }
  return "";
}

async function fromDer(data, passphrase) {
  const readers = {
    pkcs12: () => { throw pkcs12(); },
    pkcs8: () => fromPkcs8(data, "PKCS#8 in DER"),
    encrypted: () => locked(data, passphrase, "PKCS#8 in DER under a passphrase"),
    pkcs1: () => fromPkcs8(aroundPkcs1(data), "PKCS#1 in DER"),
    sec1: () => fromPkcs8(aroundSec1(data), "SEC1 in DER"),
    spki: () => fromSpki(data, "public key in DER"),
    // A copy: the file's own bytes are overwritten once it was read, and a certificate goes into the terms.
    certificate: () => fromCertificates([parse(data.slice(), "key-unparsable")]),
  };
  const reader = readers[kindOf(data)];
  if (!reader) throw unreadable(NO_KEY, BY_COMMAND);
  return sound(reader);
}

// PKCS#8 around the key of PKCS#1 (RFC 8017 §A.1.2), and around that of SEC1 (RFC 5915), which names its curve.
const aroundPkcs1 = (key) => der(TAG.sequence, ZERO, RSA, der(TAG.octets, key));

function aroundSec1(key) {
  const inside = new Der(key, "key-unparsable").enter(TAG.sequence);
  inside.take(TAG.integer);
  inside.take(TAG.octets);
  if (inside.next !== CURVE) throw unreadable("The key does not say its curve. Perhaps the command knows more:", BY_COMMAND);
  const curve = inside.enter(CURVE).any().whole;
  return der(TAG.sequence, ZERO, der(TAG.sequence, EC, curve), der(TAG.octets, key));
}

// --- JWK (RFC 7517) --------------------------------------------------------------------------------------------------

// The JWK in a file, or in a set with one; else null.
function jwkIn(written, data) {
  if (!/^\s*\{/.test(written)) return null;
  let found;
  try {
    found = JSON.parse(text(data));
  } catch {
    return null;
  }
  if (Array.isArray(found.keys)) {
    if (found.keys.length !== 1) throw unreadable(`The JWK set holds ${found.keys.length} keys. Keep the one to import in it.`);
    [found] = found.keys;
  }
  return typeof found?.kty === "string" ? found : null;
}

async function jwkWithChain(jwk) {
  const material = await fromJwk(jwk);
  if (!Array.isArray(jwk.x5c)) return material;
  return withChain(material, jwk.x5c.map((one) => parse(fromBase64(one, "certificate-mismatch"), "certificate-mismatch")));
}

function octets(jwk, keyType) {
  if (typeof jwk.k !== "string") throw unreadable("The JWK has no k, which holds a symmetric key.");
  const raw = fromB64u(jwk.k, "key-unparsable");
  const bySize = { 16: "AES-128", 32: "AES-256" }[raw.length];
  if (!keyType && raw.length === 24 && !String(jwk.alg ?? "").startsWith("HS"))
    throw unreadable("A key of AES-192, which not every browser has. Import it with the command:", BY_COMMAND);
  const guessed = bySize && !String(jwk.alg ?? "").startsWith("HS") ? bySize : "HMAC";
  return symmetric(raw, keyType || guessed, "JWK (symmetric)");
}
