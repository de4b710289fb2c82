// The page that asks for a partition: an owner credential, this browser's key, the request. Each step opens the next; no
// request leaves before the owner credential was saved and somebody said that it is kept safe.

import { Keeping } from "../importing/keeping.js";
import { Refused } from "../importing/refused.js";
import { byId, facts, open, step } from "../importing/showing.js";
import { page, portal, shared, tenant } from "../importing/state.js";
import { showDevice } from "../importing/steps-device.js";
import { checkSignatures } from "./able.js";
import { showOwner } from "./steps-credential.js";

function showReached(own) {
  byId("own-key").hidden = !own;
  byId("request").hidden = !own || !shared.device;
}

byId("owner-step").addEventListener("kept", () => {
  showReached(true);
  open(byId(shared.device ? "request" : "own-key"));
});
byId("owner-step").addEventListener("forgotten", () => showReached(false));
byId("own-key").addEventListener("kept", () => open(byId("request")));

byId("ask-for").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("request"), "", async (say) => {
    const own = await shared.keeping.owner();
    if (!own) throw new Refused("configuration", "This browser keeps no owner credential any more. Load the page again.");
    say("Asking…");
    const credential = { kty: "OKP", crv: "Ed25519", x: own.x };
    const asked = await portal.post("partitions", { label: byId("label").value.trim(), owner: credential });
    if (asked.owner_fingerprint !== own.fingerprint)
      throw new Refused("owner-mismatch", "The portal noted another owner than was sent. Have the provider decline the request.");
    facts(byId("asked-facts"), [["Request", asked.request], ["Label", asked.label], ["Owner fingerprint", own.fingerprint]]);
    byId("request").hidden = true;
    open(byId("asked"));
  });
});

async function begin() {
  await checkSignatures();
  shared.keeping = await Keeping.open(tenant);
  const own = await showOwner();
  await showDevice();
  showReached(Boolean(own));
}

page.hidden = false;
byId("without-scripts").hidden = true;
step(byId("owner-step"), "", begin);
