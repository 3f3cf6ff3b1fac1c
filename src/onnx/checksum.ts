/** A running 64-bit checksum in two halves. It detects accidents, not forgery. */
export interface Checksum {
  low: number;
  high: number;
}

const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const OTHER_PRIME = 0x85ebca6b;

/** Computes 32-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), continuing from `hash`. */
export function fnv1a(bytes: Uint8Array, hash = FNV_START): number {
  let h = hash;
  for (const byte of bytes) h = Math.imul(h ^ byte, FNV_PRIME) >>> 0;
  return h;
}

export const startChecksum = (): Checksum => ({ low: FNV_START | 0, high: FNV_START | 0 });

/** Adds the length and the bytes of a message. */
export function addBytes(sum: Checksum, bytes: Uint8Array): void {
  const { length } = bytes;
  let low = Math.imul(sum.low ^ length, FNV_PRIME);
  let high = Math.imul(sum.high ^ length, OTHER_PRIME);
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] ?? 0;
    low = Math.imul(low ^ byte, FNV_PRIME);
    high = Math.imul(high ^ byte, OTHER_PRIME);
  }
  sum.low = low;
  sum.high = high;
}

/** Adds the checksum of several messages as if it were a message. */
export function addChecksum(sum: Checksum, { low, high }: Checksum): void {
  addNumbers(sum, low, high);
}

/** Adds two numbers to a checksum. */
export function addNumbers(sum: Checksum, low: number, high: number): void {
  sum.low = Math.imul(sum.low ^ low, FNV_PRIME);
  sum.high = Math.imul(sum.high ^ high, OTHER_PRIME);
}

/** Formats a checksum as 16 hexadecimal digits. */
export function checksumText({ low, high }: Checksum): string {
  return [low, high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
