// Of which type a public key is, also where WebCrypto does not know it: what type_of_public_key of
// strongroom/client/material says. For receipts of keys that nobody outside the device has seen.

import { Der, TAG } from "./der.js";
import { hex } from "./encoding.js";
import { fromSpki } from "./key-pairs.js";
import * as pem from "./pem.js";
import { Refused } from "./refused.js";

const CODE = "receipt-mismatch";
// AlgorithmIdentifiers: of ecPublicKey with its curve (SEC 2 §2.4.1), and of ML-DSA-65 (RFC 9881).
const [SECP256K1, ML_DSA_65] = ["06072a8648ce3d020106052b8104000a", "0609608648016503040312"];
const ML_DSA_65_BYTES = 1952;
const FIELD = 2n ** 256n - 2n ** 32n - 977n;

function isOnSecp256k1(point) {
  if (point.length !== 65 || point[0] !== 4) return false;
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((one) => BigInt(`0x${hex(one)}`));
  return x < FIELD && y < FIELD && (y * y - x ** 3n - 7n) % FIELD === 0n;
}

// The type of a SubjectPublicKeyInfo in PEM; "" where it is none that is accepted.
export async function typeOfPublicKey(written) {
  try {
    const [spki, ...more] = pem.blocks(written, "PUBLIC KEY", CODE);
    if (!spki || more.length) return "";
    const outer = new Der(spki, CODE);
    const inside = outer.enter(TAG.sequence);
    outer.end();
    const algorithm = hex(inside.take(TAG.sequence).content);
    const bits = inside.bits();
    inside.end();
    if (algorithm === SECP256K1) return isOnSecp256k1(bits) ? "EC-secp256k1" : "";
    if (algorithm === ML_DSA_65) return bits.length === ML_DSA_65_BYTES ? "ML-DSA-65" : "";
    return (await fromSpki(spki, "public key")).key_type;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return "";
  }
}
