// Trust anchors: what the customer got from elsewhere than this portal, as files of the command's folder or by hand.

import { fingerprint, parsePem } from "./certificates.js";
import { credential } from "./judging.js";
import { Refused } from "./refused.js";
import { credential as isCredential } from "./statements.js";

const configuration = (sentence) => new Refused("configuration", sentence);

async function contentOf(file, what) {
  if (!file) throw configuration(`Choose the file of ${what}.`);
  const content = await file.text();
  if (content.includes("PRIVATE KEY"))
    throw configuration(`${file.name} holds a private key. This page needs the public half alone: choose ${what}, and give a private key to no page.`);
  return content;
}

async function publicKey(file, what) {
  const content = await contentOf(file, what);
  try {
    const jwk = JSON.parse(content);
    if (!isCredential(jwk)) throw new SyntaxError();
    return (await credential(jwk)).x;
  } catch {
    throw configuration(`${file.name} is not ${what}, as {"kty":"OKP","crv":"Ed25519","x":…}.`);
  }
}

// What is kept of the four: texts alone.
export async function readAnchors({ provider, roots, validation, owner }) {
  if (!provider) throw configuration("Name the provider as the manufacturer does.");
  const pem = await contentOf(roots, "the manufacturer's roots (manufacturer-roots.pem)");
  parsePem(pem);
  return {
    provider,
    roots: pem,
    validation: await publicKey(validation, "the provider's validation key (provider-validation.json)"),
    owner: await publicKey(owner, "your owner credential's public half (owner.json)"),
  };
}

// What `judge` takes, of what is kept; `list`: the access list of the partition that was verified last, or "".
export async function anchorsOf(kept, list) {
  return {
    roots: parsePem(kept.roots),
    provider: kept.provider,
    validation: await credential({ x: kept.validation }),
    own: await credential({ x: kept.owner }),
    kept: list ?? "",
  };
}

// For people to compare: rows of (what, fingerprint).
export async function describe(kept) {
  const anchors = await anchorsOf(kept, "");
  const roots = await Promise.all(anchors.roots.map(async (one) => [`Manufacturer's root, ${one.mode}`, await fingerprint(one)]));
  return [
    ["Provider", kept.provider],
    ...roots,
    ["Provider's validation key", anchors.validation.fingerprint],
    ["Owner, who is you", anchors.own.fingerprint],
  ];
}
