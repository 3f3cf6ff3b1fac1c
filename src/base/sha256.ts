import type { BufferBytes } from './buffer-bytes.js';

/** Calculates the SHA-256 of bytes or text, in hexadecimal. */
export async function sha256(data: Uint8Array | string): Promise<string> {
  return toHex(await sha256Bytes(typeof data === 'string' ? new TextEncoder().encode(data) : data));
}

/** Calculates the SHA-256 of bytes. A page from plain HTTP has no Web Crypto, which is faster. */
export async function sha256Bytes(bytes: Uint8Array): Promise<BufferBytes> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle !== undefined) return new Uint8Array(await subtle.digest('SHA-256', bytes as BufferBytes));
  const { sha256: inJs } = await import('@noble/hashes/sha2.js');
  return inJs(bytes);
}

/** Writes bytes in hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
