// The page that imports a key: whom to trust, this browser's key, who vouches, the key and its terms, what leaves, the
// receipt. Each step opens the next; nothing is encrypted before everyone vouched a moment ago.

import { Keeping } from "./keeping.js";
import { Refused } from "./refused.js";
import { byId, step } from "./showing.js";
import { page, shared, tenant } from "./state.js";
import { showCommand } from "./steps-key.js";
import { showDevice } from "./steps-device.js";
import { showUnsettled } from "./steps-sending.js";
import { showAnchors } from "./steps-trust.js";
import { showReached } from "./steps-vouch.js";

async function begin() {
  if (!window.isSecureContext) throw new Refused("transport-insecure", "The browser encrypts nothing on a page that did not come over https.");
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign"]);
  } catch {
    throw new Refused("mechanism-unsupported", "This browser knows no Ed25519 signatures. Take a newer one, or the command.");
  }
  shared.keeping = await Keeping.open(tenant);
  const trusted = await showAnchors();
  await showDevice();
  if (!trusted) return;
  showReached();
  await showUnsettled();
}

showCommand();
page.hidden = false;
byId("without-scripts").hidden = true;
step(byId("trust"), "", begin);
