// Signed statements: compact JWS (RFC 7515), EdDSA with Ed25519 (RFC 8037), one `typ` for each kind.

import { b64u, canonical, fromB64u, text, thumbprint, utf8 } from "./encoding.js";
import { Refused } from "./refused.js";

const MALFORMED = "statement-malformed";

// The object that is written in JSON in a signed thing.
export function readJson(written) {
  let found;
  try {
    found = JSON.parse(written);
  } catch {
    throw new Refused(MALFORMED, "A signed statement is not JSON.");
  }
  if (found === null || typeof found !== "object" || Array.isArray(found))
    throw new Refused(MALFORMED, "A signed statement is no JSON object.");
  return found;
}

const readSegment = (segment) => readJson(text(fromB64u(segment, MALFORMED), MALFORMED));

function segments(token) {
  // A token has one spelling: white space or padding would change the digest of what was signed.
  if (typeof token !== "string" || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/.test(token))
    throw new Refused(MALFORMED, "A signed statement is no compact JWS.");
  return token.split(".");
}

// The header, not verified: good for choosing the key to verify with, and for nothing else.
export const readHeader = (token) => readSegment(segments(token)[0]);

// The statement, its signature *not* checked: for routing, never for a decision.
export function readUnverified(token, kind) {
  if (readHeader(token).typ !== kind.typ) throw new Refused(MALFORMED, `This is no ${kind.typ}.`);
  return kind.read(readSegment(segments(token)[1]));
}

// The statement, if the Ed25519 key with these 32 bytes signed it as a `kind`.
export async function verify(token, kind, raw) {
  const [head, payload, signature] = segments(token);
  const header = readSegment(head);
  if (header.alg !== "EdDSA" || header.typ !== kind.typ || "crit" in header || (header.b64 ?? true) !== true)
    throw new Refused(MALFORMED, `This is no ${kind.typ}.`);
  if (header.kid !== (await thumbprint(raw)))
    throw new Refused("signature-invalid", "It is signed by another key than the one that is trusted for it.");
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", true, ["verify"]);
  const signed = utf8(`${head}.${payload}`);
  if (!(await crypto.subtle.verify("Ed25519", key, fromB64u(signature, MALFORMED), signed)))
    throw new Refused("signature-invalid", "The signature does not hold: something in it was altered.");
  return kind.read(readSegment(payload));
}

// Sign a statement of `typ`. `signer`: an Ed25519 private key of WebCrypto and its fingerprint.
export async function sign(typ, statement, signer) {
  const header = { alg: "EdDSA", kid: signer.fingerprint, typ };
  const signed = [header, statement].map((part) => b64u(utf8(canonical(part)))).join(".");
  const signature = await crypto.subtle.sign("Ed25519", signer.privateKey, utf8(signed));
  return `${signed}.${b64u(new Uint8Array(signature))}`;
}
