// The form of a key and its terms: what it says, and which uses and mechanisms it offers.

import { fileNamed } from "./command.js";
import { toBeMade } from "./making.js";
import { needsPassphrase, readMaterial } from "./material.js";
import { Refused } from "./refused.js";
import { byId, choices, chosenIn } from "./showing.js";
import { isSymmetric } from "./symmetric.js";
import { fits, PUBLIC_USAGES } from "./terms.js";

const FORGOTTEN = "The file was read and encrypted, and this page has forgotten it. To encrypt it anew, choose it again.";

const value = (id) => byId(id).value.trim();
const file = (id) => byId(id).files[0];
const contentOf = async (id) => (file(id) ? file(id).text() : "");
const bytesOf = async (id) => (file(id) ? new Uint8Array(await file(id).arrayBuffer()) : null);

export const isMade = () => byId("origin-made").checked;

// What the form says of a key in a file, and of one that the device is to make.
const ofFile = () => ({
  origin: "imported",
  file: file("key-file")?.name ?? "",
  keyType: value("key-type"),
  encoding: value("key-encoding"),
  certificateFile: file("certificate")?.name ?? "",
  status: { method: value("status-by"), url: value("status-at"), every: value("status-every") },
});
const ofDevice = () => ({
  origin: "made",
  keyType: value("made-type"),
  size: value(value("made-type") === "HMAC" ? "made-bytes" : "made-bits"),
  status: { method: "", url: "", every: "" },
});

// What the form says, in the words of the command; files by their names alone.
export function said() {
  const url = value("revoke-at");
  return {
    ...(isMade() ? ofDevice() : ofFile()),
    name: value("key-name"),
    newVersion: byId("new-version").checked,
    usages: chosenIn(byId("usages")),
    mechanisms: chosenIn(byId("mechanisms")),
    authorisation: value("authorisation"),
    notBefore: value("not-before"),
    notAfter: value("not-after"),
    translateTo: value("translate-to").split(/[\s,]+/).filter(Boolean),
    revocation: url
      ? { url, every: value("revoke-every"), pinFile: file("revoke-pin")?.name, answerKeyFile: file("revoke-answer-key")?.name }
      : null,
  };
}

// The same with the content of the files that the terms need, and of that with the terms before.
export async function read() {
  const given = said();
  if (given.revocation) {
    given.revocation.token = value("revoke-token");
    given.revocation.pin = await contentOf("revoke-pin");
    given.revocation.answerKey = await contentOf("revoke-answer-key");
  } else if (value("revoke-token") || file("revoke-pin") || file("revoke-answer-key")) {
    throw new Refused("terms-refused", "Who may revoke the key is asked at no address: fill it in, or nothing of it.");
  }
  given.termsBefore = given.newVersion ? await bytesOf("terms-before") : null;
  return given;
}

// Show what there is to be said of a key in a file, or of one that the device is to make.
export function showOrigin() {
  const origin = isMade() ? "made" : "imported";
  for (const one of document.querySelectorAll("[data-origin]")) one.hidden = one.dataset.origin !== origin;
  byId("key-file").required = !isMade();
  byId("made-bits").parentElement.hidden = value("made-type") !== "RSA";
  byId("made-bytes").parentElement.hidden = value("made-type") !== "HMAC";
}

// Whether the chosen file is under a passphrase, for which there is a field then.
export async function askPassphrase() {
  const isLocked = Boolean(file("key-file")) && needsPassphrase(await bytesOf("key-file"));
  byId("locked").hidden = !isLocked;
  if (!isLocked) byId("passphrase").value = "";
  return isLocked;
}

export const hasPassphrase = () => Boolean(byId("passphrase").value);

// The key in the chosen file, or the one that the device is to make. Whoever gets it overwrites `secret` after use.
export async function material() {
  if (isMade()) {
    const { keyType, size } = ofDevice();
    return toBeMade(keyType, Number(size));
  }
  if (!file("key-file")) throw new Refused("malformed", "Choose the key's file.");
  const data = await bytesOf("key-file");
  try {
    const found = await readMaterial(data, {
      keyType: value("key-type"),
      encoding: value("key-encoding"),
      passphrase: byId("passphrase").value,
      certificate: await bytesOf("certificate"),
    });
    if (found.secret !== data) data.fill(0);
    return { ...found, origin: "imported" };
  } catch (error) {
    // What to type names the file that was chosen.
    if (error instanceof Refused) error.ways = error.ways.map((one) => one.replaceAll("FILE", fileNamed(file("key-file").name)));
    throw error;
  }
}

// Offer the uses and mechanisms that fit a key, and what only key pairs have.
export function offerUses(registry, keyType, publicOnly) {
  const rows = Object.entries(registry).filter(([, row]) => row.key_types.includes(keyType));
  const usages = [...new Set(rows.flatMap(([, row]) => row.operations))].sort();
  choices(byId("usages"), "usage", publicOnly ? usages.filter((one) => PUBLIC_USAGES.includes(one)) : usages);
  // A certificate comes after the key, which the device has yet to make.
  byId("certified").hidden = isMade() || isSymmetric(keyType);
  offerMechanisms(registry, keyType);
}

export function offerMechanisms(registry, keyType) {
  const usages = chosenIn(byId("usages"));
  const fitting = Object.keys(registry).filter((one) => usages.some((usage) => fits(registry, one, keyType, usage)));
  choices(byId("mechanisms"), "mechanism", fitting);
  byId("translate").hidden = !usages.includes("translate");
}

// Once the key is sealed, nothing here needs its file any more.
export function forgetFile() {
  byId("key-file").value = "";
  byId("passphrase").value = "";
  byId("locked").hidden = true;
  if (!isMade()) byId("read-as").textContent = FORGOTTEN;
}

// Where whoever discards what was encrypted begins anew.
export const focusOnKey = () => byId(isMade() ? "made-type" : "key-file").focus();
