// The step `own-key` of several pages: this browser's key, enrolled as a client device. Its section hears `kept` once
// there is one.

import { makeId } from "./encoding.js";
import { Refused } from "./refused.js";
import { byId, facts, step } from "./showing.js";
import { portal, shared } from "./state.js";

export async function showDevice() {
  shared.device = await shared.keeping.device();
  const { device } = shared;
  byId("device-new").hidden = Boolean(device);
  byId("device-kept").hidden = !device;
  // Devices of a tenant have different names, and nobody needs to think of one.
  if (!device && !byId("device-name").value) byId("device-name").value = (await makeId("browser-")).slice(0, 12);
  if (!device) return;
  facts(byId("device-facts"), [["Name", device.name], ["Principal", `device:${device.fingerprint}`]]);
}

byId("device-new").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("own-key"), "", async (say) => {
    say("Making a key, and enrolling it as a client device…");
    const name = byId("device-name").value.trim();
    const made = await shared.keeping.makeDevice(name);
    try {
      const credential = { kty: "OKP", crv: "Ed25519", x: made.x };
      const { principal } = await portal.post("devices", { name, credential });
      if (principal !== `device:${made.fingerprint}`) throw new Refused("internal", "The portal registered another key than was sent.");
    } catch (error) {
      await shared.keeping.forget("device");
      throw error;
    }
    await showDevice();
    byId("own-key").dispatchEvent(new Event("kept"));
  });
});
