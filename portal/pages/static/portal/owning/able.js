// Whether this browser can sign at all.

import { Refused } from "../importing/refused.js";

export async function checkSignatures() {
  if (!window.isSecureContext) throw new Refused("transport-insecure", "The browser makes no keys on a page that did not come over https.");
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign"]);
  } catch {
    throw new Refused("mechanism-unsupported", "This browser knows no Ed25519 signatures. Take a newer one, or the command.");
  }
}
