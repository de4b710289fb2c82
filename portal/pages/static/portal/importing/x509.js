// Certificates of anybody (RFC 5280): a key's own with its chain, and that of a revocation endpoint. Read, put in order
// and compared as strongroom/client/material/certificates.py, client/revocation.py and protocol/certificate_status.py do;
// signatures are WebCrypto's.

import { Der, TAG } from "./der.js";
import { b64u, concat, equal, hex, latin1, text } from "./encoding.js";
import { blocks, labels } from "./pem.js";
import { BY_COMMAND, Refused } from "./refused.js";

const MOST = 10;
const [VERSION, ISSUER_ID, SUBJECT_ID, EXTENSIONS] = [0xa0, 0x81, 0x82, 0xa3];
const [NAMES, CONSTRAINTS, ACCESS, LISTS, OCSP] = [
  "0603551d11", "0603551d13", "06082b06010505070101", "0603551d1f", "06082b06010505073001",
];
const [DNS_NAME, ADDRESS, URI] = [0x82, 0x87, 0x86];
const EC = "06072a8648ce3d0201";
const CURVES = {
  "06082a8648ce3d030107": ["P-256", 32],
  "06052b81040022": ["P-384", 48],
  "06052b81040023": ["P-521", 66],
};
const rsa = (hash) => ({ name: "RSASSA-PKCS1-v1_5", hash });
const ecdsa = (hash) => ({ name: "ECDSA", hash });
// By the object identifier of a certificate's signature.
const SIGNATURES = {
  "06032b6570": { name: "Ed25519" },
  "06092a864886f70d01010b": rsa("SHA-256"),
  "06092a864886f70d01010c": rsa("SHA-384"),
  "06092a864886f70d01010d": rsa("SHA-512"),
  "06082a8648ce3d040302": ecdsa("SHA-256"),
  "06082a8648ce3d040303": ecdsa("SHA-384"),
  "06082a8648ce3d040304": ecdsa("SHA-512"),
};

const mismatch = (sentence) => new Refused("certificate-mismatch", sentence, BY_COMMAND);

function moment(der) {
  const isUtc = der.next === TAG.utcTime;
  const written = text(der.take(isUtc ? TAG.utcTime : TAG.time).content, der.code);
  const found = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(written);
  if (!found || found[1].length !== (isUtc ? 2 : 4)) der.fail();
  const year = isUtc ? (Number(found[1]) < 50 ? 2000 : 1900) + Number(found[1]) : Number(found[1]);
  return Date.UTC(year, found[2] - 1, found[3], found[4], found[5], found[6]) / 1000;
}

function extensionsIn(sequence) {
  const found = new Map();
  while (!sequence.done) {
    const one = sequence.enter(TAG.sequence);
    const oid = hex(one.take(TAG.oid).whole);
    one.maybe(TAG.boolean);
    if (found.has(oid)) sequence.fail();
    found.set(oid, one.take(TAG.octets).content);
    one.end();
  }
  return found;
}

// A certificate's parts. Throws `Refused(code)` for what is none.
export function parse(bytes, code) {
  const outer = new Der(bytes, code);
  const certificate = outer.enter(TAG.sequence);
  outer.end();
  const tbs = certificate.take(TAG.sequence);
  const algorithm = certificate.take(TAG.sequence);
  const signature = certificate.bits();
  certificate.end();
  const inside = new Der(tbs.content, code);
  inside.maybe(VERSION);
  inside.take(TAG.integer);
  if (!equal(inside.take(TAG.sequence).whole, algorithm.whole)) inside.fail();
  const issuer = inside.take(TAG.sequence).whole;
  const validity = inside.enter(TAG.sequence);
  const [notBefore, notAfter] = [moment(validity), moment(validity)];
  const subject = inside.take(TAG.sequence).whole;
  const spki = inside.take(TAG.sequence).whole;
  inside.maybe(ISSUER_ID);
  inside.maybe(SUBJECT_ID);
  const explicit = inside.next === EXTENSIONS ? inside.enter(EXTENSIONS).enter(TAG.sequence) : null;
  inside.end();
  const extensions = explicit ? extensionsIn(explicit) : new Map();
  return { bytes, tbs: tbs.whole, algorithm: algorithm.content, signature, issuer, subject, spki, notBefore, notAfter, extensions };
}

// --- a key's own chain -----------------------------------------------------------------------------------------------

// All certificates in a file: PEM, or one in DER.
export function certificatesIn(data) {
  const written = latin1(data);
  const code = "certificate-mismatch";
  if (labels(written).includes("PKCS7"))
    throw new Refused(code, "The certificates are in PKCS#7. Take them out:", "openssl pkcs7 -print_certs -in FILE -out NEW");
  const found = [...blocks(written, "CERTIFICATE", code), ...blocks(written, "X509 CERTIFICATE", code)];
  try {
    return (found.length ? found : [data]).map((one) => parse(one, code));
  } catch {
    throw mismatch("The file holds no X.509 certificate in PEM or DER that this page can read.");
  }
}

// From the DER of ECDSA-Sig-Value to r ‖ s, which WebCrypto wants.
function rawSignature(bytes, size, code) {
  const both = new Der(bytes, code).enter(TAG.sequence);
  const padded = [both, both].map((der) => {
    const digits = der.take(TAG.integer).content;
    const number = digits.subarray(digits.findIndex((byte) => byte));
    if (number.length > size) der.fail();
    return concat(new Uint8Array(size - number.length), number);
  });
  return concat(...padded);
}

// Whether `issuer` issued a certificate: by its name and its signature.
async function issuedBy(certificate, issuer) {
  if (!equal(certificate.issuer, issuer.subject)) return false;
  const how = SIGNATURES[hex(new Der(certificate.algorithm).take(TAG.oid).whole)];
  if (!how) throw mismatch("A certificate is signed in a way that browsers cannot check.");
  try {
    const key = new Der(issuer.spki).enter(TAG.sequence).enter(TAG.sequence);
    const isEc = hex(key.take(TAG.oid).whole) === EC;
    if (isEc !== (how.name === "ECDSA")) return false;
    const [namedCurve, size] = isEc ? CURVES[hex(key.take(TAG.oid).whole)] : [];
    const imported = await crypto.subtle.importKey("spki", issuer.spki, { ...how, namedCurve }, false, ["verify"]);
    const signature = isEc ? rawSignature(certificate.signature, size) : certificate.signature;
    return await crypto.subtle.verify(how, imported, signature, certificate.tbs);
  } catch {
    return false;
  }
}

async function issuerAmong(certificate, others) {
  for (const one of others) if (await issuedBy(certificate, one)) return one;
  return null;
}

// `found` in order: the certificate of the key (its SubjectPublicKeyInfo), then the issuer of each one before.
export async function ownChain(found, spki) {
  const left = new Map(found.map((one) => [b64u(one.bytes), one]));
  const own = [...left.values()].find((one) => equal(one.spki, spki));
  if (!own) throw new Refused("certificate-mismatch", "No certificate in the file belongs to the key.");
  const chain = [];
  for (let one = own; one; one = await issuerAmong(one, left.values())) {
    chain.push(one);
    left.delete(b64u(one.bytes));
  }
  if (left.size)
    throw new Refused("certificate-mismatch", `${left.size} of the certificates are not in the chain of the key's own. Take them out of the file.`);
  if (chain.length > MOST) throw new Refused("certificate-mismatch", `A chain of more than ${MOST} certificates.`);
  return chain;
}

// The one certificate that issued none of the others: whose key a file of certificates alone is about.
export async function leaf(found) {
  const leaves = [];
  for (const one of found) {
    const others = found.filter((other) => other !== one);
    const issued = await Promise.all(others.map((other) => issuedBy(other, one)));
    if (!issued.includes(true)) leaves.push(one);
  }
  if (leaves.length !== 1)
    throw new Refused("key-unparsable", "The file holds certificates of several keys. Keep one with its chain in it.");
  return leaves[0];
}

// --- what a certificate says of itself ---------------------------------------------------------------------------------

const inside = (certificate, oid) => {
  const content = certificate.extensions.get(oid);
  return content ? new Der(content, "certificate-mismatch").enter(TAG.sequence) : null;
};

function* elements(der) {
  while (der && !der.done) yield der.any();
}

// Where it says that its status is asked: OCSP before a list, unless one is wanted. `method` is "" where it says nothing.
export function ownAddress(certificate, wanted) {
  if (wanted === "" || wanted === "ocsp")
    for (const { content } of elements(inside(certificate, ACCESS))) {
      const one = new Der(content, "certificate-mismatch");
      const isOcsp = hex(one.take(TAG.oid).whole) === OCSP;
      const name = one.any();
      if (isOcsp && name.tag === URI) return { method: "ocsp", url: latin1(name.content) };
    }
  if (wanted === "" || wanted === "crl")
    for (const { content } of elements(inside(certificate, LISTS))) {
      const point = new Der(content, "certificate-mismatch").maybe(0xa0);
      const names = point && new Der(point.content, "certificate-mismatch").maybe(0xa0);
      for (const name of elements(names && new Der(names.content, "certificate-mismatch")))
        if (name.tag === URI && latin1(name.content).startsWith("http")) return { method: "crl", url: latin1(name.content) };
    }
  return { method: "", url: "" };
}

// Whether it may issue others.
export function isAuthority(certificate) {
  const constraints = inside(certificate, CONSTRAINTS);
  return Boolean(constraints?.maybe(TAG.boolean)?.content[0]);
}

// An address of four or sixteen bytes as URLs write it.
function written(address) {
  if (address.length === 4) return address.join(".");
  if (address.length !== 16) return "";
  return new URL(`https://[${hex(address).match(/..../g).join(":")}]`).hostname;
}

// Whether it is for the host of an https address: as one of its names, by a wildcard for one label, or as an address.
export function isFor(certificate, url) {
  const host = new URL(url).hostname.toLowerCase();
  const isAddress = host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host);
  for (const name of elements(inside(certificate, NAMES))) {
    if (isAddress && name.tag === ADDRESS && written(name.content) === host) return true;
    if (isAddress || name.tag !== DNS_NAME) continue;
    const known = latin1(name.content).toLowerCase();
    if (known === host || (host.includes(".") && known === `*.${host.slice(host.indexOf(".") + 1)}`)) return true;
  }
  return false;
}
