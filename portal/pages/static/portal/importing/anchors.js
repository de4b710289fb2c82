// Trust anchors: what the customer got from elsewhere than this portal, as files of the command's folder or by hand.

import { fingerprint, parsePem } from "./certificates.js";
import { credential } from "./judging.js";
import { BY_COMMAND, Refused } from "./refused.js";
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

const POLICY = "policy.json";
const ASKED = ["manufacturer", "provider"];

function policyIn(content) {
  const { require: named, ...rest } = content;
  if (Object.keys(rest).length || !Array.isArray(named) || !named.every((one) => /^(manufacturer|provider|validator:.+)$/.test(one)))
    throw configuration(`${POLICY} must be {"require": ["manufacturer", …]} and nothing else.`);
  if (named.every((one) => one === "provider"))
    throw configuration("The policy must require someone besides the provider to vouch for keys.");
  return named.filter((one) => !ASKED.includes(one));
}

// Which third parties must vouch, by the files of the command's folder: whom its policy names, else every validator.
export async function thirdPartiesIn(files) {
  const validators = [];
  let policy = null;
  for (const file of files) {
    let content;
    try {
      content = JSON.parse(await contentOf(file, `${POLICY} and validators`));
      if (file.name === POLICY) policy = policyIn(content);
      else if (typeof content.url === "string" && isCredential(content.credential)) validators.push(`validator:${file.name.replace(/\.json$/, "")}`);
      else throw new SyntaxError();
    } catch (error) {
      if (error instanceof Refused) throw error;
      throw configuration(`${file.name} is neither ${POLICY} nor a validator of trust/validators.`);
    }
  }
  return policy ?? validators;
}

// What is kept of the files: texts alone. `third`: policy and validators, as far as there are any. `own`: the owner
// credential that this browser keeps, which is taken where there is no file of one.
export async function readAnchors({ provider, roots, validation, owner, own = null, third = [] }) {
  if (!provider) throw configuration("Name the provider as the manufacturer does.");
  const pem = await contentOf(roots, "the manufacturer's roots (manufacturer-roots.pem)");
  parsePem(pem);
  return {
    provider,
    roots: pem,
    validation: await publicKey(validation, "the provider's validation key (provider-validation.json)"),
    owner: own && !owner ? own.x : await publicKey(owner, "your owner credential's public half (owner.json)"),
    third: await thirdPartiesIn(third),
  };
}

// Throws `Refused` where somebody must vouch whom a page cannot ask.
export function checkAskable({ third = [] }) {
  if (third.length)
    throw new Refused(
      "validation-failed",
      `By what you keep here ${third.join(", ")} must vouch too, and a page cannot ask a third party: its certificate is one that you pinned and no browser knows, and pages of this portal may call no other host. The command asks it:`,
      BY_COMMAND,
    );
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
    ["Must vouch", [...ASKED, ...(kept.third ?? [])].join(", ")],
  ];
}
