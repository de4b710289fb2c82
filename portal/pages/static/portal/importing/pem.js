// PEM (RFC 7468): text with blocks of base64.

import { base64, fromBase64 } from "./encoding.js";

// What the blocks of a text say they are, in order.
export const labels = (text) => [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map((found) => found[1]);

// The bytes of each whole block of this label. Throws `Refused(code)` for what is not base64.
export function blocks(text, label, code) {
  const found = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, "g"));
  return [...found].map((one) => fromBase64(one[1].replace(/\s/g, ""), code));
}

export const write = (bytes, label) =>
  `-----BEGIN ${label}-----\n${base64(bytes).match(/.{1,64}/g).join("\n")}\n-----END ${label}-----\n`;
