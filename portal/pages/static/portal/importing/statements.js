// What signed statements say, member by member, as strongroom/protocol/statements.py and access.py have them.

import { Refused } from "./refused.js";

const text = (value) => typeof value === "string";
const whole = (value) => Number.isSafeInteger(value);
const one = (value) => value === 1;
const among = (...names) => (value) => names.includes(value);
const maybe = (check) => (value) => value === null || check(value);
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);

// An object with exactly these members; those in `optional` have the value that counts where they are missing.
function shape(members, optional = {}) {
  return (value) =>
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    Object.keys(value).every((name) => Object.hasOwn(members, name)) &&
    Object.entries(members).every(([name, check]) =>
      Object.hasOwn(value, name) ? check(value[name]) : Object.hasOwn(optional, name),
    );
}

function kind(typ, members, optional = {}) {
  const fits = shape(members, optional);
  return {
    typ,
    read(found) {
      if (!fits(found)) throw new Refused("statement-malformed", `A ${typ} has members that it must not have, or lacks some.`);
      return { ...optional, ...found };
    },
  };
}

const mode = among("production", "development");
const status = among("in-force", "retired", "revoked", "unknown");

// An Ed25519 public key as a JWK.
export const credential = shape({ kty: among("OKP"), crv: among("Ed25519"), x: text }, { crv: "Ed25519" });

export const ENDORSEMENT = kind(
  "strongroom.endorsement",
  {
    v: one, device: text, purpose: text, key_id: text, public_key: text, suite: text, nonce: text, import_id: text,
    partition: text, owner: text, expires_at: maybe(whole), issued_at: whole,
  },
  { v: 1, suite: "HPKE-XWING", nonce: "", import_id: "", partition: "", owner: "", expires_at: null },
);

export const VALIDATION = kind(
  "strongroom.validation",
  {
    v: one, validator: text, subject: among("vendor-key", "provider-key"), key_id: text, public_key_digest: text,
    device: text, device_status: status, provider: text, status, not_before: maybe(whole), not_after: maybe(whole),
    nonce: text, issued_at: whole, expires_at: whole, first_seen: maybe(whole),
  },
  { v: 1, first_seen: null },
);

const partition = shape({
  partition: text, owners: listOf(text), access_list_version: whole, access_list_digest: text, devices: listOf(text),
  defined_by: text,
});

export const ATTESTATION = kind(
  "strongroom.attestation",
  {
    v: one, nonce: text, device: text, mode, kind: among("emulator"), state: text, world: text, officer_epoch: whole,
    measurement: text, boot_epoch: whole, vendor_keys: listOf(text), provider_keys: listOf(text),
    partition: maybe(partition), last_checkpoint: text, issued_at: whole,
  },
  { v: 1, kind: "emulator" },
);

const principal = shape(
  { principal: text, rights: listOf(text), credential: maybe(credential), label: text },
  { credential: null, label: "" },
);

const securityKey = shape({ kty: among("FIDO2"), id: text, public_key: text, rp_id: text, origin: text });
const editor = shape({ key: securityKey, label: text }, { label: "" });

export const ACCESS_LIST = kind(
  "strongroom.access-list",
  {
    v: one, partition: text, version: whole, previous: text, owners: listOf(credential), principals: listOf(principal),
    editors: listOf(editor),
  },
  { v: 1, editors: [] },
);

// An access list that a security key signed: no JWS, and so without a `typ`.
export const EDITED_LIST = kind(
  "access list by a security key",
  {
    v: one, granted: text, payload: text, key: text, authenticator_data: text, client_data: text, signature: text,
  },
  { v: 1 },
);

export const RECEIPT = kind(
  "strongroom.receipt",
  {
    v: one, import_id: text, key_id: text, name: text, version: whole, origin: text, key_type: text, public_key: text,
    check_value: text, terms_digest: text, header_digest: text, tenant: text, partition: text, owner: text, device: text,
    log_position: whole, imported_at: whole,
  },
  { v: 1, origin: "imported" },
);

const lanes = (value) =>
  value !== null && typeof value === "object" && Object.values(value).every(shape({ count: whole, head: text }));

export const CHECKPOINT = kind(
  "strongroom.checkpoint",
  { v: one, device: text, world: text, partition: text, boot_epoch: whole, lanes, nonce: text, issued_at: whole },
  { v: 1 },
);
