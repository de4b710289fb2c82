// The command that does the same without this page, with the form's values filled in.

const quoted = (value) => (/^[A-Za-z0-9@%+=:,./_*-]+$/.test(value) && value !== "*" ? value : `'${value.replace(/'/g, `'\\''`)}'`);

// `given`: as for `makeTerms`, with name, file, keyType, encoding, and the names of files for the revocation endpoint.
export function commandFor(given) {
  const options = [
    ["--name", given.name || "NAME"],
    ...(given.usages.length ? given.usages : ["sign"]).map((one) => ["--usage", one]),
    given.keyType && ["--type", given.keyType],
    given.encoding && ["--encoding", given.encoding],
    given.authorisation === "token" && ["--mode", "token"],
    ...given.mechanisms.map((one) => ["--mechanism", one]),
    given.notBefore && ["--not-before", given.notBefore],
    given.notAfter && ["--expires", given.notAfter],
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
  ].filter(Boolean);
  const file = given.file ? quoted(given.file.startsWith("-") ? `./${given.file}` : given.file) : "KEY.pem";
  return `strongroom import ${file} ${options.map(([name, value]) => `${name} ${quoted(value)}`).join(" ")}`;
}

// What the owner runs, where the owner credential is, so that a browser's device may import and nothing else.
export const allowCommand = (device) =>
  [
    `echo '{"kty":"OKP","crv":"Ed25519","x":"${device.x}"}' >browser.json`,
    `strongroom access allow device:${device.fingerprint} --rights import --label ${quoted(device.name)} --credential browser.json`,
  ].join("\n");
