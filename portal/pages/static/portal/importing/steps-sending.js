// Steps 5 and 6: what leaves, and the receipt; and imports whose receipt has not been seen.

import { canonical } from "./encoding.js";
import { envelopeFile, evidenceFile } from "./evidence.js";
import { focusOnKey } from "./form.js";
import { checkReceipt } from "./receipts.js";
import { Refused } from "./refused.js";
import * as rows from "./rows.js";
import { byId, element, facts, focusOn, offer, open, records, step, when } from "./showing.js";
import { closeAfter, now, portal, shared } from "./state.js";
import { inWords } from "./succession.js";
import { anchorsOf } from "./anchors.js";

// --- 5. what leaves ---------------------------------------------------------------------------------------------------

// The stem of files about what was sealed.
const stem = ({ name, version }) => (version > 1 ? `${name}.v${version}` : name);

const [NOT_LEFT, LEFT] = [
  "Nothing has left yet. This will, and nothing else:",
  "This was sent, and nothing else. To send it again is safe: the device answers the same request with the same receipt.",
];

export async function showSealed() {
  byId("left").textContent = NOT_LEFT;
  const { sent, body, terms } = shared.sealed;
  facts(byId("sealed"), rows.ofSealed(shared.sealed, shared.device));
  byId("header").textContent = JSON.stringify(JSON.parse(canonical(sent.statement)), null, 2);
  byId("body").textContent = JSON.stringify(body);
  byId("clear-terms").textContent = new TextDecoder().decode(terms);
  offer(byId("save-envelope"), `${stem(sent.statement)}.envelope.json`, envelopeFile(shared.sealed));
  offer(byId("save-terms-early"), `${stem(sent.statement)}.terms.json`, terms);
}

byId("send").addEventListener("click", () =>
  step(byId("leaves"), "", async (say) => {
    const { sealed, keeping } = shared;
    // 1. Kept what the receipt must say, before anything leaves.
    const { import_id, name, version, partition } = sealed.sent.statement;
    const kept = { import_id, name, version, partition, at: now(), sent: sealed.sent, dossier: sealed.dossier, receipt: "" };
    await keeping.keepImport(kept);
    // 2. Sent. The same header again is safe: the device answers with the same receipt.
    byId("left").textContent = LEFT;
    say("Sending, and waiting for the device's receipt…");
    const answer = await send(sealed.body, kept);
    // 3. The receipt is for exactly this.
    const says = await checkReceipt(answer.receipt, sealed.sent, sealed.anchors.roots, now());
    await keeping.keepImport({ ...kept, receipt: answer.receipt });
    sealed.receipt = answer.receipt;
    showReceipt(says);
    byId("send").hidden = true;
    open(byId("receipt"));
  }),
);

// After these it is not known whether the device took it.
const OPEN = ["hsm-unreachable", "hsm-sealed", "log-unwritable", "unavailable", "internal", "unauthenticated"];

async function send(body, kept) {
  try {
    const answer = await portal.post("imports", body);
    if (answer.receipt) return answer;
    throw new Refused(answer.code || "internal", `The portal says that the import is ${answer.status}, and gives no receipt.`);
  } catch (error) {
    if (error instanceof Refused && !OPEN.includes(error.code)) await shared.keeping.forgetImport(kept);
    throw inWords(error);
  }
}

byId("discard").addEventListener("click", () => {
  shared.sealed = null;
  closeAfter("leaves");
  showUnsettled();
  focusOnKey();
});

// --- 6. the receipt ---------------------------------------------------------------------------------------------------

// Characters of a public key beyond which it is folded: one of ML-DSA-65 fills the screen.
const LONG = 1000;

const keyPage = (says) => `/keys/${encodeURIComponent(says.key_id)}/`;

function showReceipt(says) {
  facts(byId("receipt-facts"), rows.ofReceipt(says));
  byId("key-page").href = keyPage(says);
  byId("public").hidden = !says.public_key;
  byId("public").open = says.public_key.length <= LONG;
  byId("public-key").textContent = says.public_key;
  if (says.public_key) offer(byId("save-public-key"), `${stem(says)}.pub.pem`, says.public_key);
  offer(byId("save-receipt"), `${stem(says)}.jws`, shared.sealed.receipt);
  offer(byId("save-terms"), `${stem(says)}.terms.json`, shared.sealed.terms);
}

byId("make-evidence").addEventListener("click", () =>
  step(byId("receipt"), "", async (say) => {
    say("Fetching the partition's log, and checking it…");
    const { receipt, dossier, sent, anchors } = shared.sealed;
    const content = await evidenceFile(portal, { receipt, dossier, header: sent.header }, anchors, now());
    offer(byId("save-evidence"), `${stem(sent.statement)}.evidence.json`, content);
    byId("save-evidence").focus();
  }),
);

byId("another").addEventListener("click", () => location.assign(location.pathname));

// --- sent before, without a receipt -----------------------------------------------------------------------------------

export async function showUnsettled() {
  const unsettled = (await shared.keeping.imports()).filter((one) => !one.receipt);
  byId("unsettled").hidden = !unsettled.length;
  byId("unsettled-still").hidden = !unsettled.length;
  records(byId("unsettled-list"), unsettled.map((one) => [`${one.name}, version ${one.version}`, when(one.at), one.import_id, ways(one)]));
}

function ways(one) {
  const place = element("span", "", "doing");
  for (const [label, work] of [["Ask what became of it", settle], ["Forget it", forget]]) {
    const button = element("button", label, "plain");
    button.type = "button";
    button.addEventListener("click", () => step(byId("unsettled"), "", (say) => work(one, say)));
    place.append(button, " ");
  }
  return place;
}

async function answered(one, what) {
  try {
    return await portal.get(`imports/${one.import_id}`);
  } catch (error) {
    if (error.code !== "not-found") throw error;
    throw new Refused("not-found", `The portal knows nothing of ${what}: it never arrived, or the portal hides it. Where the device's log does not have it either (strongroom log verify), forget it here and import again.`);
  }
}

async function settle(one, say) {
  const what = `${one.name}, version ${one.version}`;
  say("Asking what became of it…");
  const answer = await answered(one, what);
  if (answer.status === "failed") {
    await shared.keeping.forgetImport(one);
    await settled(`${what}: the import failed (${answer.code}), and nothing of it is in the partition.`);
    return;
  }
  if (!answer.receipt) throw new Refused("unavailable", `${what} is not settled yet. Ask again in a minute.`);
  const { roots } = await anchorsOf(await shared.keeping.get("anchors"), "");
  const says = await checkReceipt(answer.receipt, one.sent, roots, now());
  await shared.keeping.keepImport({ ...one, receipt: answer.receipt });
  await settled(`${what} is in the device. Its receipt is for exactly what this browser sent: `, keyPage(says));
}

async function forget(one) {
  await shared.keeping.forgetImport(one);
  await settled(`${one.name}, version ${one.version}: forgotten here.`);
}

async function settled(sentence, link = "") {
  await showUnsettled();
  byId("unsettled").hidden = false;
  byId("settled").replaceChildren(sentence);
  // The button that was pressed is gone, and the focus with it.
  if (!link) return focusOn(byId("unsettled").querySelector("h2"));
  const made = element("a", "to the key");
  made.href = link;
  byId("settled").append(made, ".");
  made.focus();
}
