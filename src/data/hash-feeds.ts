import { sha256Bytes, toHex } from '../base/sha256.js';
import type { Feeds } from './dataset.js';

/**
 * Returns the SHA-256 of all feeds, as a chain over names, shapes and bytes, so that memory holds only one feed at a
 * time.
 */
export async function hashFeeds(feeds: Feeds): Promise<string> {
  let state: Uint8Array = new Uint8Array(32);
  const add = async (bytes: Uint8Array) => {
    const joined = new Uint8Array(state.length + bytes.length);
    joined.set(state);
    joined.set(bytes, state.length);
    state = await sha256Bytes(joined);
  };
  const text = new TextEncoder();
  for await (const run of feeds) {
    for (const [name, { elemType, dims, data }] of Object.entries(run)) {
      await add(text.encode(JSON.stringify([name, elemType, dims])));
      await add(
        ArrayBuffer.isView(data)
          ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
          : text.encode(JSON.stringify(data)),
      );
    }
  }
  return toHex(state);
}
