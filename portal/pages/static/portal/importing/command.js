// The command that does the same without this page, with the form's values filled in.

import { kindOf } from "./making.js";
import { BY_COMMAND } from "./refused.js";

export const quoted = (value) => (/^[A-Za-z0-9@%+=:,./_*-]+$/.test(value) && value !== "*" ? value : `'${value.replace(/'/g, `'\\''`)}'`);

// A file's name as an argument.
export const fileNamed = (name) => quoted(name.startsWith("-") ? `./${name}` : name);

const written = (options) =>
  options.filter(Boolean).map(([name, ...value]) => [name, ...value.map(quoted)].join(" ")).join(" ");

// `given`: as for `makeTerms`, with origin, name, newVersion, keyType; size where the device makes the key; of one in a
// file also file, encoding, and the names of other files.
export function commandFor(given) {
  const name = given.name || "NAME";
  if (given.origin === "made") {
    const options = [["--type", kindOf(given.keyType, given.size)], ...forAny(given)];
    return `strongroom keys make ${quoted(name)} ${written(options)}`;
  }
  const { status = {} } = given;
  const options = [
    ["--name", name],
    ...forAny(given),
    given.keyType && ["--type", given.keyType],
    given.encoding && ["--encoding", given.encoding],
    given.certificateFile && ["--certificate", given.certificateFile],
    status.method && ["--certificate-status", status.method],
    status.url && ["--certificate-status-at", status.url],
    status.every && ["--certificate-status-every", status.every],
  ];
  return `${BY_COMMAND} ${given.file ? fileNamed(given.file) : "KEY.pem"} ${written(options)}`;
}

// What is said of any key, wherever it comes from.
function forAny(given) {
  return [
    given.newVersion && ["--new-version"],
    ...(given.usages.length ? given.usages : [given.origin === "made" ? "USE" : "sign"]).map((one) => ["--usage", one]),
    given.authorisation === "token" && ["--mode", "token"],
    ...given.mechanisms.map((one) => ["--mechanism", one]),
    given.notBefore && ["--not-before", given.notBefore],
    given.notAfter && ["--not-after", given.notAfter],
    ...given.translateTo.map((one) => ["--translate-to", one]),
    ...(given.revocation
      ? [
          ["--revoke-at", given.revocation.url],
          ["--revoke-token-file", "TOKEN-FILE"],
          ["--revoke-pin", given.revocation.pinFile || "PIN.pem"],
          ["--revoke-every", given.revocation.every],
          given.revocation.answerKeyFile && ["--revoke-answer-key", given.revocation.answerKeyFile],
        ]
      : []),
  ];
}

// What the owner runs, where the owner credential is, so that a browser's device may import and nothing else.
export const allowCommand = (device) =>
  [
    `echo '{"kty":"OKP","crv":"Ed25519","x":"${device.x}"}' >browser.json`,
    `strongroom access allow device:${device.fingerprint} --rights import --label ${quoted(device.name)} --credential browser.json`,
  ].join("\n");
