// Keys that the device is to make: what takes the place of a key file, as strongroom/client/making.py has it.

import { Refused } from "./refused.js";

// Of types that have several sizes: bits of RSA, bytes of HMAC.
const SIZES = {
  RSA: (size) => [2048, 3072, 4096].includes(size),
  HMAC: (size) => Number.isInteger(size) && size >= 16 && size <= 1024,
};

// How the command names a key to be made: by its type, with the size where the type has several.
export const kindOf = (keyType, size) => (keyType in SIZES ? `${keyType}-${size}` : keyType);

// The material of a key that nobody has yet: empty, with a `size` where the type has several.
export function toBeMade(keyType, size) {
  if (keyType in SIZES && !SIZES[keyType](size))
    throw new Refused("key-weak", "An RSA key that the device makes has 2048, 3072 or 4096 bits, an HMAC key 16 to 1024 bytes.");
  return {
    key_type: keyType, secret: new Uint8Array(), form: "key made in the device", public_key: "", check_value: "",
    public_only: false, chain: [], origin: "made", size: keyType in SIZES ? size : null,
  };
}
