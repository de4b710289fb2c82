// Reads DER (X.690): as much as certificates and key files need, and strictly. Writes what wraps one key format in another.

import { concat } from "./encoding.js";
import { Refused } from "./refused.js";

export const TAG = {
  boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utcTime: 0x17, time: 0x18, sequence: 0x30,
};

// The elements in `bytes`, one after the other: each with its tag, its content, and itself whole.
export class Der {
  constructor(bytes, code = "malformed") {
    this.bytes = bytes;
    this.code = code;
    this.at = 0;
  }

  get done() {
    return this.at === this.bytes.length;
  }

  get next() {
    return this.bytes[this.at];
  }

  // The next element, which must have this tag.
  take(tag) {
    const begin = this.at;
    if (this.done || this.bytes[begin] !== tag) this.fail();
    let size = this.bytes[begin + 1];
    let content = begin + 2;
    if (size === undefined) this.fail();
    if (size >= 0x80) {
      const octets = size & 0x7f;
      if (octets < 1 || octets > 3 || content + octets > this.bytes.length) this.fail();
      size = 0;
      for (const end = content + octets; content < end; content += 1) size = size * 256 + this.bytes[content];
      // A length has one spelling, the shortest.
      if (size < 0x80 || size < 256 ** (octets - 1)) this.fail();
    }
    const end = content + size;
    if (end > this.bytes.length) this.fail();
    this.at = end;
    return { tag, content: this.bytes.subarray(content, end), whole: this.bytes.subarray(begin, end) };
  }

  // The next element, whatever it is.
  any() {
    return this.take(this.next);
  }

  // What is inside the next element.
  enter(tag) {
    return new Der(this.take(tag).content, this.code);
  }

  // The next element where it has this tag; else nothing.
  maybe(tag) {
    return this.next === tag ? this.take(tag) : null;
  }

  // A bit string of whole bytes.
  bits() {
    const { content } = this.take(TAG.bits);
    if (content[0] !== 0) this.fail();
    return content.subarray(1);
  }

  // A whole number that JavaScript can hold.
  number() {
    const { content } = this.take(TAG.integer);
    if (content.length < 1 || content.length > 5 || content[0] >= 0x80) this.fail();
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  end() {
    if (!this.done) this.fail();
  }

  fail() {
    throw new Refused(this.code, "This is not DER as it should be.");
  }
}

// An element of this tag around `parts`.
export function der(tag, ...parts) {
  const content = concat(...parts);
  const size = content.length;
  if (size < 0x80) return concat(Uint8Array.of(tag, size), content);
  const octets = [];
  for (let left = size; left; left = Math.floor(left / 256)) octets.unshift(left % 256);
  return concat(Uint8Array.of(tag, 0x80 | octets.length, ...octets), content);
}
