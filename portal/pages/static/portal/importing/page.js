// The page that imports a key: whom to trust, this browser's key, who vouches, the key and its terms, what leaves, the
// receipt. Each step opens the next; nothing is encrypted before everyone vouched a moment ago.

import { anchorsOf, describe, readAnchors } from "./anchors.js";
import { gather } from "./asking.js";
import { allowCommand, commandFor } from "./command.js";
import { base64, canonical, digest, makeId } from "./encoding.js";
import { wrap } from "./envelope.js";
import { evidenceFile } from "./evidence.js";
import * as form from "./form.js";
import { judge, validations } from "./judging.js";
import { Keeping } from "./keeping.js";
import { Portal } from "./portal.js";
import { checkReceipt } from "./receipts.js";
import { Refused } from "./refused.js";
import * as rows from "./rows.js";
import { byId, facts, offer, open, records, step } from "./showing.js";
import { checkName, encode, makeTerms } from "./terms.js";

const page = byId("import");
const { tenant, registry } = JSON.parse(page.dataset.facts);
const portal = new Portal();
const NOTHING_SENT = "Nothing was encrypted or sent.";
const now = () => Math.floor(Date.now() / 1000);

let keeping = null;
let device = null;
let keyType = "";
let sealed = null;

// --- 1. whom to trust -------------------------------------------------------------------------------------------------

async function showAnchors() {
  const kept = await keeping.get("anchors");
  byId("anchors").hidden = Boolean(kept);
  byId("anchors-kept").hidden = !kept;
  if (!kept) return false;
  facts(byId("anchors-facts"), await describe(kept));
  byId("own-key").hidden = false;
  return true;
}

byId("anchors").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("trust"), "Nothing was kept.", async () => {
    const file = (id) => byId(id).files[0];
    const provider = byId("provider").value.trim();
    const given = { provider, roots: file("roots"), validation: file("validation"), owner: file("owner") };
    await keeping.put("anchors", await readAnchors(given));
    await showAnchors();
    await showDevice();
    open(byId("own-key"));
  });
});

byId("anchors-change").addEventListener("click", () => {
  byId("anchors").hidden = false;
  byId("anchors-kept").hidden = true;
  closeAfter("own-key");
  byId("provider").focus();
});

// --- 2. this browser's key ----------------------------------------------------------------------------------------------

async function showDevice() {
  device = await keeping.device();
  byId("device-new").hidden = Boolean(device);
  byId("device-kept").hidden = !device;
  // Devices of a tenant have different names, and nobody needs to think of one.
  if (!device && !byId("device-name").value) byId("device-name").value = (await makeId("browser-")).slice(0, 12);
  if (!device) return;
  facts(byId("device-facts"), [["Name", device.name], ["Principal", `device:${device.fingerprint}`]]);
  byId("vouch").hidden = false;
}

byId("device-new").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("own-key"), "", async () => {
    const name = byId("device-name").value.trim();
    const made = await keeping.makeDevice(name);
    try {
      const credential = { kty: "OKP", crv: "Ed25519", x: made.x };
      const { principal } = await portal.post("devices", { name, credential });
      if (principal !== `device:${made.fingerprint}`) throw new Refused("internal", "The portal registered another key than was sent.");
    } catch (error) {
      await keeping.forget("device");
      throw error;
    }
    await showDevice();
    open(byId("vouch"));
  });
});

// --- 3. who vouches -------------------------------------------------------------------------------------------------------

const partition = () => byId("partition").value;

// The evidence on the chosen partition and the keys to seal to, as of now.
async function ask() {
  const name = `access ${partition()}`;
  const anchors = await anchorsOf(await keeping.get("anchors"), await keeping.get(name));
  const at = now();
  const evidence = await judge(await gather(portal, partition(), at), anchors, at);
  if (evidence.access.document) await keeping.put(name, evidence.access.document);
  return { evidence, anchors };
}

function isListed(evidence) {
  const found = evidence.access.principals.find((one) => one.principal === `device:${device.fingerprint}`);
  return Boolean(found?.rights.includes("import"));
}

function showEvidence({ evidence, anchors }) {
  records(byId("vouched"), rows.ofAnswers(evidence));
  facts(byId("evidence"), rows.ofEvidence(evidence, anchors));
  byId("development").hidden = evidence.mode !== "development";
  const listed = isListed(evidence);
  byId("vouched-all").hidden = false;
  byId("not-listed").hidden = listed;
  byId("allow").textContent = allowCommand(device);
  if (listed) open(byId("key"));
  else closeAfter("key");
}

byId("ask").addEventListener("click", () =>
  step(byId("vouch"), NOTHING_SENT, async () => {
    byId("vouched-all").hidden = true;
    closeAfter("key");
    showEvidence(await ask());
  }),
);

byId("partition").addEventListener("change", () => {
  byId("vouched-all").hidden = true;
  closeAfter("key");
});

// --- 4. the key and its terms ---------------------------------------------------------------------------------------------

const showCommand = () => {
  byId("command").textContent = commandFor(form.said());
};

async function readFile() {
  keyType = "";
  byId("read-as").textContent = "";
  if (byId("key-file").files.length)
    await step(byId("key"), NOTHING_SENT, async () => {
      const material = await form.material();
      material.secret.fill(0);
      keyType = material.key_type;
      byId("read-as").textContent = `Read as ${material.form}: ${keyType}.`;
    });
  form.offerUses(registry, keyType);
  byId("uses").hidden = !keyType;
}

byId("terms").addEventListener("change", async (event) => {
  if (["key-file", "key-type", "key-encoding"].includes(event.target.id)) await readFile();
  if (event.target.name === "usage") form.offerMechanisms(registry, keyType);
  showCommand();
});
byId("terms").addEventListener("input", showCommand);

byId("terms").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("key"), NOTHING_SENT, async () => {
    closeAfter("leaves");
    // 1. Name, key and terms are sound.
    const given = await form.read();
    checkName(given.name);
    const material = await form.material();
    try {
      const terms = encode(await makeTerms(given, material.key_type, registry, now()));
      // 2. Everyone who can know vouches, now, for the keys that we encrypt to.
      const asked = await ask();
      if (!isListed(asked.evidence)) throw new Refused("device-not-listed", "This browser's key is not on the access list any more.");
      // 3. Sealed first for the device, then for the provider key.
      sealed = await seal(given.name, material, terms, asked);
    } finally {
      material.secret.fill(0);
    }
    form.forgetFile();
    await showSealed();
    open(byId("leaves"));
  });
});

async function seal(name, material, terms, { evidence, anchors }) {
  const wrapping = {
    import_id: await makeId("imp_"), tenant, partition: partition(), owner: anchors.own.fingerprint,
    device: evidence.device, vendor: evidence.vendor, provider: evidence.provider, name, version: 1,
    validations: await validations(evidence), created_at: now(),
  };
  const envelope = await wrap(material.secret, terms, wrapping, device);
  const { key_type, public_key, check_value, form: read } = material;
  return {
    body: {
      partition: wrapping.partition, header: envelope.header, material: base64(envelope.material), terms: base64(envelope.terms),
    },
    sent: { statement: envelope.statement, header: envelope.header, key_type, public_key, check_value },
    sizes: { material: envelope.material.length, terms: envelope.terms.length },
    digests: { material: await digest(envelope.material), terms: await digest(envelope.terms) },
    read, terms, anchors, dossier: evidence.dossier,
  };
}

// --- 5. what leaves ---------------------------------------------------------------------------------------------------------

async function showSealed() {
  const { sent, body } = sealed;
  facts(byId("sealed"), rows.ofSealed(sealed, device));
  byId("header").textContent = JSON.stringify(JSON.parse(canonical(sent.statement)), null, 2);
  byId("body").textContent = JSON.stringify(body);
  byId("clear-terms").textContent = new TextDecoder().decode(sealed.terms);
}

byId("send").addEventListener("click", () =>
  step(byId("leaves"), "", async () => {
    // Sending the same header again is safe: the device answers with the same receipt.
    const answer = await portal.post("imports", sealed.body);
    if (!answer.receipt) throw new Refused(answer.code ?? "internal", `The portal says that the import is ${answer.status}, and gives no receipt.`);
    const says = await checkReceipt(answer.receipt, sealed.sent, sealed.anchors.roots, now());
    sealed.receipt = answer.receipt;
    showReceipt(says);
    byId("send").hidden = true;
    open(byId("receipt"));
  }),
);

byId("discard").addEventListener("click", () => {
  sealed = null;
  closeAfter("leaves");
  byId("key-file").focus();
});

// --- 6. the receipt -----------------------------------------------------------------------------------------------------------

function showReceipt(says) {
  facts(byId("receipt-facts"), rows.ofReceipt(says));
  byId("key-page").href = `/keys/${encodeURIComponent(says.key_id)}/`;
  offer(byId("save-receipt"), `${says.name}.jws`, sealed.receipt);
  offer(byId("save-terms"), `${says.name}.terms.json`, sealed.terms);
}

byId("make-evidence").addEventListener("click", () =>
  step(byId("receipt"), "", async () => {
    const { receipt, dossier, sent, anchors } = sealed;
    const content = await evidenceFile(portal, { receipt, dossier, header: sent.header }, anchors, now());
    offer(byId("save-evidence"), `${sent.statement.name}.evidence.json`, content);
    byId("save-evidence").focus();
  }),
);

byId("another").addEventListener("click", () => location.reload());

// --- the page -------------------------------------------------------------------------------------------------------------------

const STEPS = ["own-key", "vouch", "key", "leaves", "receipt"];

// Close a step and all that come after it.
function closeAfter(name) {
  for (const one of STEPS.slice(STEPS.indexOf(name))) byId(one).hidden = true;
  byId("send").hidden = false;
}

async function begin() {
  if (!window.isSecureContext) throw new Refused("transport-insecure", "The browser encrypts nothing on a page that did not come over https.");
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign"]);
  } catch {
    throw new Refused("mechanism-unsupported", "This browser knows no Ed25519 signatures. Take a newer one, or the command.");
  }
  keeping = await Keeping.open(tenant);
  if (await showAnchors()) await showDevice();
}

showCommand();
page.hidden = false;
byId("without-scripts").hidden = true;
step(byId("trust"), "", begin);
