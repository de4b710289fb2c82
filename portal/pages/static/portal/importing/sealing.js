// HPKE (RFC 9180) with KEM 0x647A (MLKEM768-X25519), HKDF-SHA256 and AES-256-GCM: what strongroom/protocol/sealing.py does.

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

import { concat, utf8 } from "./encoding.js";

const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

// `enc` ‖ ciphertext ‖ tag for whoever holds the private half of these 1216 bytes, bound to the text `info`.
export async function seal(publicKey, plain, info) {
  const recipientPublicKey = await suite.kem.deserializePublicKey(publicKey);
  const sender = await suite.createSenderContext({ recipientPublicKey, info: utf8(info) });
  return concat(new Uint8Array(sender.enc), new Uint8Array(await sender.seal(plain)));
}
