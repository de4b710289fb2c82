// Step 4: the key and its terms; everyone vouches once more, and both are encrypted.

import { commandFor } from "./command.js";
import { base64, digest, makeId } from "./encoding.js";
import { wrap } from "./envelope.js";
import * as form from "./form.js";
import { validations } from "./judging.js";
import { Refused } from "./refused.js";
import { askedOf } from "./revocation.js";
import { byId, open, step, useCommand, when } from "./showing.js";
import { closeAfter, NOTHING_SENT, now, portal, registry, shared, tenant } from "./state.js";
import { showSealed, showUnsettled } from "./steps-sending.js";
import { anchors, ask, isListed, partition } from "./steps-vouch.js";
import * as succession from "./succession.js";
import { checkName, encode, makeTerms } from "./terms.js";

let keyType = "";

useCommand(() => commandFor(form.said()));

export const showCommand = () => {
  byId("command").textContent = commandFor(form.said());
};

// --- the key: its file, or what the device is to make ---------------------------------------------------------------------------------------------------

// Offer the uses that fit the key: the one in the file, or the one that the device is to make.
async function readKey() {
  form.showOrigin();
  if (!form.isMade()) return readFile();
  await step(byId("key"), NOTHING_SENT, async () => offerUses(form.said().keyType, false));
}

function offerUses(type, publicOnly) {
  keyType = type;
  form.offerUses(registry, type, publicOnly);
  byId("uses").hidden = !type;
}

const inWords = ({ form: read, key_type, public_only, chain }) => {
  const certificates = chain.length ? `, with ${chain.length} certificate${chain.length > 1 ? "s" : ""}` : "";
  return `Read as ${read}: ${key_type}${public_only ? ", the public half alone" : ""}${certificates}.`;
};

async function readFile() {
  let [found, publicOnly] = ["", false];
  byId("read-as").textContent = "";
  await step(byId("key"), NOTHING_SENT, async () => {
    const isLocked = await form.askPassphrase();
    if (!byId("key-file").files.length) return;
    if (isLocked && !form.hasPassphrase()) {
      byId("read-as").textContent = "The key is under a passphrase: fill it in.";
      return;
    }
    const material = await form.material();
    material.secret.fill(0);
    found = material.key_type;
    publicOnly = material.public_only;
    byId("read-as").textContent = inWords(material);
  });
  offerUses(found, publicOnly);
}

// --- the key that it succeeds -----------------------------------------------------------------------------------------

// What the newest version's receipt says, verified; nothing where this is to be a key's first version.
async function predecessor(given) {
  if (!given.newVersion) return null;
  const trusted = await anchors();
  const about = { partition: partition(), owner: trusted.own.fingerprint, roots: trusted.roots };
  // Names are a partition's own, and other partitions may have the same: the id is taken where the address gave it.
  const { key, name } = byId("key-name").dataset;
  return succession.newest(portal, name === given.name ? key : given.name, given.name, about, now());
}

async function showPredecessor() {
  const given = form.said();
  byId("before").hidden = !given.newVersion;
  byId("becomes").replaceChildren();
  if (!given.newVersion || !given.name) return;
  await step(byId("key"), NOTHING_SENT, async () => {
    const before = await predecessor(given);
    byId("becomes").replaceChildren(
      `Becomes version ${before.version + 1}. Version ${before.version} is the newest: ${before.key_type}${before.origin === "made" ? ", made in the device" : ""}, since `,
      when(before.imported_at), ", as its receipt says, whose signature holds.",
    );
  });
}

byId("terms").addEventListener("change", async (event) => {
  const { id, name } = event.target;
  if (name === "origin" || ["made-type", "key-file", "key-type", "key-encoding", "passphrase", "certificate"].includes(id)) await readKey();
  if (name === "origin" || ["key-name", "new-version"].includes(id)) await showPredecessor();
  if (name === "usage") form.offerMechanisms(registry, keyType);
  showCommand();
});
byId("terms").addEventListener("input", showCommand);
// Where the address named a key to succeed, the form is filled in before anybody changes it.
byId("key").addEventListener("opened", async () => {
  if (form.isMade()) await readKey();
  await showPredecessor();
});

// --- encrypting -------------------------------------------------------------------------------------------------------

byId("terms").addEventListener("submit", (event) => {
  event.preventDefault();
  step(byId("key"), NOTHING_SENT, async (say) => {
    closeAfter("leaves");
    await showUnsettled();
    // 1. Name, key and terms are sound; the name is free, or that of the key that gets a new version.
    const given = await form.read();
    checkName(given.name);
    const material = await form.material();
    try {
      const terms = await makeTerms(given, material, registry, now());
      const before = await predecessor(given);
      const version = (before?.version ?? 0) + 1;
      const sent = (await shared.keeping.imports()).filter((one) => one.partition === partition());
      succession.checkFree(sent, given.name, version);
      if (before) {
        const earlier = given.termsBefore && (await succession.termsBefore(given.termsBefore, before));
        succession.checkSuccession(terms, before, earlier, registry);
      }
      // 2. Everyone who can know vouches, now, for the keys that we encrypt to.
      const asked = await ask(say);
      if (!isListed(asked.evidence)) throw new Refused("device-not-listed", "This browser's key is not on the access list any more.");
      // 3. Sealed first for the device, then for the provider key.
      say("Encrypting…");
      shared.sealed = await seal(given.name, version, material, terms, asked);
    } finally {
      material.secret.fill(0);
    }
    form.forgetFile();
    await showSealed();
    open(byId("leaves"));
  });
});

async function seal(name, version, material, terms, { evidence, anchors: trusted }) {
  const wrapping = {
    import_id: await makeId("imp_"), tenant, partition: partition(), owner: trusted.own.fingerprint,
    device: evidence.device, vendor: evidence.vendor, provider: evidence.provider, name, version, origin: material.origin,
    validations: await validations(evidence), created_at: now(),
  };
  const encoded = encode(terms);
  const envelope = await wrap(material.secret, encoded, wrapping, shared.device);
  const { key_type, public_key, check_value, form: read, chain } = material;
  const { header } = envelope;
  return {
    body: { partition: wrapping.partition, header, material: base64(envelope.material), terms: base64(envelope.terms) },
    sent: { statement: envelope.statement, header, key_type, public_key, check_value },
    answerHolds: terms.revocation?.every ?? 0,
    sizes: { material: envelope.material.length, terms: envelope.terms.length },
    digests: { header: await digest(header), material: await digest(envelope.material), terms: await digest(envelope.terms) },
    asked: askedOf(terms.certificate_status ?? null, chain),
    read, terms: encoded, anchors: trusted, dossier: evidence.dossier,
  };
}
