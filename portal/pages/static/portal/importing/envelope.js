// The import envelope: what strongroom/protocol/envelope.py calls `wrap`, for suite HPKE-XWING and transport `tee`.

import { canonical, digest } from "./encoding.js";
import * as jws from "./jws.js";
import { seal } from "./sealing.js";

export const SUITE = "HPKE-XWING";
export const TRANSPORT = "tee";
const NOTHING = new Uint8Array();

// HPKE's `info`: the context of a part (`material` or `terms`) in a layer (`vendor` or `provider`).
export function info(binding, part, layer) {
  const { terms_digest, ...context } = binding;
  const bound = part === "material" ? { ...context, terms_digest } : context;
  return canonical({ ...bound, v: "strongroom-envelope-1", part, layer });
}

// Seal to the vendor key, then to the provider key, and sign the header. There is no material of a key to be made.
// `wrapping`: import_id, tenant, partition, owner, device, name, version, origin, validations, created_at; and `vendor`
// and `provider`, each a key_id with the key's raw bytes. `signer` signs for the client device.
export async function wrap(material, terms, wrapping, signer) {
  const { vendor, provider, ...rest } = wrapping;
  // 1. The context that both layers of both parts are bound to.
  const terms_digest = await digest(terms);
  const { import_id, partition, owner, device } = rest;
  const binding = {
    import_id, partition, owner, device, vendor_key: vendor.key_id, provider_key: provider.key_id, suite: SUITE,
    transport: TRANSPORT, terms_digest,
  };
  // 2. The inner layer, which only the device's vendor key opens.
  const isImported = rest.origin === "imported";
  const inner = {
    material: isImported ? await seal(vendor.raw, material, info(binding, "material", "vendor")) : NOTHING,
    terms: await seal(vendor.raw, terms, info(binding, "terms", "vendor")),
  };
  // 3. The header, which names what was sealed, for whom, and what was validated before.
  const header = {
    v: 1, ...binding, ...rest, material_digest: await digest(inner.material),
    terms_ciphertext_digest: await digest(inner.terms),
  };
  // 4. The outer layer, which only the provider key opens.
  return {
    statement: header,
    header: await jws.sign("strongroom.import-header", header, signer),
    material: isImported ? await seal(provider.raw, inner.material, info(binding, "material", "provider")) : NOTHING,
    terms: await seal(provider.raw, inner.terms, info(binding, "terms", "provider")),
  };
}

