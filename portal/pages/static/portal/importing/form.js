// The form of a key and its terms: what it says, and which uses and mechanisms it offers.

import { readMaterial } from "./material.js";
import { Refused } from "./refused.js";
import { byId, choices, chosenIn } from "./showing.js";
import { fits } from "./terms.js";

const value = (id) => byId(id).value.trim();
const file = (id) => byId(id).files[0];
const contentOf = async (id) => (file(id) ? file(id).text() : "");

// What the form says, in the words of the command; files by their names alone.
export function said() {
  const url = value("revoke-at");
  return {
    file: file("key-file")?.name ?? "",
    name: value("key-name"),
    keyType: value("key-type"),
    encoding: value("key-encoding"),
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

// The same with the content of the files that the terms need.
export async function read() {
  const given = said();
  if (given.revocation) {
    given.revocation.token = value("revoke-token");
    given.revocation.pin = await contentOf("revoke-pin");
    given.revocation.answerKey = await contentOf("revoke-answer-key");
  } else if (value("revoke-token") || file("revoke-pin") || file("revoke-answer-key")) {
    throw new Refused("terms-refused", "Who may revoke the key is asked at no address: fill it in, or nothing of it.");
  }
  return given;
}

// The key in the chosen file. Whoever gets it overwrites `secret` after use.
export async function material() {
  if (!file("key-file")) throw new Refused("malformed", "Choose the key's file.");
  const data = new Uint8Array(await file("key-file").arrayBuffer());
  const found = await readMaterial(data, value("key-type"), value("key-encoding"));
  if (found.secret !== data) data.fill(0);
  return found;
}

// Offer the uses and mechanisms that fit a key's type.
export function offerUses(registry, keyType) {
  const rows = Object.entries(registry).filter(([, row]) => row.key_types.includes(keyType));
  const usages = [...new Set(rows.flatMap(([, row]) => row.operations))].sort();
  choices(byId("usages"), "usage", usages);
  offerMechanisms(registry, keyType);
}

export function offerMechanisms(registry, keyType) {
  const usages = chosenIn(byId("usages"));
  const fitting = Object.keys(registry).filter((one) => usages.some((usage) => fits(registry, one, keyType, usage)));
  choices(byId("mechanisms"), "mechanism", fitting);
  byId("translate").hidden = !usages.includes("translate");
}

export function forgetFile() {
  byId("key-file").value = "";
}

