// What the page shows of what it found, as rows of (what, said).

import { when } from "./showing.js";

// A provider calls its validator by its own name, whatever that is; it was compared with the one that the customer gave.
const nameOf = ({ validator, provider }) =>
  validator === `provider ${provider}` ? `the provider (“${provider}”)` : `the ${validator}`;

export const ofAnswers = ({ said, attestation }) => [
  ...said.map(({ says }) => [nameOf(says), says.subject, says.status, when(says.issued_at)]),
  [attestation.device, "partition", attestation.state, when(attestation.issued_at)],
];

export const ofEvidence = ({ mode, vendor, provider, access, attestation }, anchors) => [
  ["Mode", mode],
  ["Vendor key", vendor.key_id],
  ["Provider key", provider.key_id],
  ["Owner", `${anchors.own.fingerprint} (yours)`],
  ["Access list", `version ${access.version}`],
  ["Software measurement", attestation.measurement],
];

const isMade = ({ origin }) => origin === "made";

export const ofSealed = ({ sent, sizes, digests, body, read, asked }, device) => [
  ["Goes to", `POST ${location.origin}/api/v1/imports, with your session`],
  isMade(sent.statement) ? ["Key", `${sent.key_type}, which the device is to make`] : ["Read as", `${read}: ${sent.key_type}`],
  ["Name", `${sent.statement.name}, version ${sent.statement.version}`],
  ["Opened by", `first by provider key ${sent.statement.provider_key}, then only by vendor key ${sent.statement.vendor_key} in ${sent.statement.device}`],
  ["Header", `${body.header.length} bytes, signed by device:${device.fingerprint}, SHA-256 ${digests.header}`],
  isMade(sent.statement) ? ["Sealed key", "none"] : ["Sealed key", `${sizes.material} bytes, SHA-256 ${digests.material}`],
  ["Sealed terms", `${sizes.terms} bytes, SHA-256 ${digests.terms}`],
  ...(asked ? [["Its certificate", `the device asks its status by ${asked.method} at ${asked.url}`]] : []),
];

export const ofReceipt = (says) => [
  ["Key id", says.key_id],
  ["Name", `${says.name}, version ${says.version}`],
  ["Type", says.key_type],
  ["Origin", isMade(says) ? "made in the device: nobody outside ever had it" : "imported: it came sealed from this browser"],
  ...(says.check_value ? [["Check value", says.check_value]] : []),
  ["Device", says.device],
  ["Digest of your terms", says.terms_digest],
  ["Place in the log", `administrative lane, no. ${says.log_position}`],
  [isMade(says) ? "Made" : "Imported", when(says.imported_at)],
];
