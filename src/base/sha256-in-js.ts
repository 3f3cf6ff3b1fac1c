import type { BufferBytes } from './buffer-bytes.js';

/** Bytes of a block. */
const BLOCK_BYTES = 64;

const PRIMES = Array.from({ length: 310 }, (_, at) => at + 2).filter((number) =>
  Array.from({ length: number - 2 }, (_, at) => at + 2).every((divisor) => number % divisor !== 0),
);
/** Returns the first 32 bits of a number's fraction. */
const fraction = (number: number) => Math.floor((number % 1) * 2 ** 32);
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

const turned = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/** Calculates the SHA-256 of bytes (FIPS 180-4), for pages without Web Crypto. */
export function sha256InJs(bytes: Uint8Array): BufferBytes {
  const state = Int32Array.from(START);
  const words = new Int32Array(ROUNDS.length);
  const whole = bytes.length - (bytes.length % BLOCK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += BLOCK_BYTES) mix(state, words, view, at);
  const rest = bytes.subarray(whole);
  // After the bytes come a bit, zeros, and the number of bits in eight bytes.
  const end = new Uint8Array(rest.length + 9 > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES);
  end.set(rest);
  end[rest.length] = 0x80;
  const last = new DataView(end.buffer);
  last.setBigUint64(end.length - 8, 8n * BigInt(bytes.length));
  for (let at = 0; at < end.length; at += BLOCK_BYTES) mix(state, words, last, at);
  const digest = new DataView(new ArrayBuffer(4 * state.length));
  for (const [at, word] of state.entries()) digest.setInt32(4 * at, word);
  return new Uint8Array(digest.buffer);
}

/** Mixes a block into the state; `words` is memory for its words. */
function mix(state: Int32Array, words: Int32Array, block: DataView, start: number): void {
  const word = (at: number) => words[at] ?? 0;
  for (let at = 0; at < words.length; at++) {
    if (at < 16) {
      words[at] = block.getInt32(start + 4 * at);
      continue;
    }
    const [near, far] = [word(at - 2), word(at - 15)];
    const low = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    const high = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    words[at] = word(at - 16) + low + word(at - 7) + high;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < words.length; at++) {
    const high = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const low = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const more = (h + high + ((e & f) ^ (~e & g)) + (ROUNDS[at] ?? 0) + word(at)) | 0;
    const most = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + more) | 0;
    d = c;
    c = b;
    b = a;
    a = (more + most) | 0;
  }
  for (const [at, value] of [a, b, c, d, e, f, g, h].entries()) state[at] = (state[at] ?? 0) + value;
}
