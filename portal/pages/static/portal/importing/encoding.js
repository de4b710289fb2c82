// Encodings of docs/spec/protocol.md, as strongroom/protocol/encoding.py has them.

import { Refused } from "./refused.js";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

export const utf8 = (text) => new TextEncoder().encode(text);

export function text(bytes, code = "malformed") {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused(code, "This is not text in UTF-8.");
  }
}

// Text of which only the letters of ASCII matter, whatever the bytes are.
export const latin1 = (bytes) => new TextDecoder("latin1").decode(bytes);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const fromHex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

// Standard base64, with padding.
export const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export function fromBase64(encoded, code = "malformed") {
  const canonical = /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && encoded.length % 4 === 0;
  if (!canonical) throw new Refused(code, "This is not base64.");
  return Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
}

// Base64url without padding (RFC 7515 §2), canonical only.
export const b64u = (bytes) => base64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

export function fromB64u(encoded, code = "malformed") {
  if (typeof encoded !== "string" || !/^[A-Za-z0-9_-]*$/.test(encoded) || encoded.length % 4 === 1)
    throw new Refused(code, "This is not base64url.");
  const padded = encoded.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (encoded.length % 4)) % 4);
  const bytes = fromBase64(padded, code);
  if (b64u(bytes) !== encoded) throw new Refused(code, "This is not canonical base64url.");
  return bytes;
}

const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
};

// Canonical JSON: sorted members, no white space (RFC 8785 for strings, integers and booleans).
export const canonical = (value) => JSON.stringify(sorted(value));

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// SHA-256 as 64 hexadecimal digits, of bytes or of a text in UTF-8.
export const digest = async (data) => hex(await sha256(typeof data === "string" ? utf8(data) : data));

function base32(bytes) {
  let [bits, value, out] = [0, 0, ""];
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) {
      out += ALPHABET[(value >>> (bits - 5)) & 31];
      value &= (1 << (bits - 5)) - 1;
    }
  }
  return out;
}

// Prefix and 32 characters: of SHA-256 over the parts with their lengths, or random without parts.
export async function makeId(prefix, ...parts) {
  if (!parts.length) return prefix + base32(crypto.getRandomValues(new Uint8Array(20)));
  const framed = [utf8(prefix), ...parts].flatMap((part) => {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setUint32(4, part.length);
    return [size, part];
  });
  return prefix + base32((await sha256(concat(...framed))).subarray(0, 20));
}

export const nonce = () => b64u(crypto.getRandomValues(new Uint8Array(32)));

// JWK thumbprint (RFC 7638) of an Ed25519 public key's 32 bytes: how a credential is named.
export const thumbprint = async (raw) => b64u(await sha256(utf8(canonical({ crv: "Ed25519", kty: "OKP", x: b64u(raw) }))));
