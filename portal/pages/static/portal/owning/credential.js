// Makes an owner credential: the file to keep, under a passphrase, and what stays in the browser, which cannot be taken out.

import { b64u } from "../importing/encoding.js";
import { credential } from "../importing/judging.js";
import { lock } from "../importing/passphrase.js";
import * as pem from "../importing/pem.js";
import { Refused } from "../importing/refused.js";

const SHORTEST = 12;

export function checkPassphrase(first, again) {
  if (first.length < SHORTEST)
    throw new Refused("configuration", `The passphrase is shorter than ${SHORTEST} characters: whoever finds owner.pem tries those first.`);
  if (first !== again) throw new Refused("configuration", "The passphrases differ.");
}

// `files`: owner.pem and owner.json, as the command has them in its folder; the rest is what the browser keeps.
export async function makeCredential(passphrase) {
  const { subtle } = crypto;
  const pair = await subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const own = await credential({ x: b64u(new Uint8Array(await subtle.exportKey("raw", pair.publicKey))) });
  const plain = new Uint8Array(await subtle.exportKey("pkcs8", pair.privateKey));
  try {
    const files = {
      "owner.pem": pem.write(await lock(plain, passphrase), "ENCRYPTED PRIVATE KEY"),
      "owner.json": JSON.stringify({ kty: "OKP", x: own.x, crv: "Ed25519" }),
    };
    return { ...own, files, privateKey: await subtle.importKey("pkcs8", plain, "Ed25519", false, ["sign"]) };
  } finally {
    plain.fill(0);
  }
}
