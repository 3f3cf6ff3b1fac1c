import type { BufferBytes } from '../base/buffer-bytes.js';

/** Random access to a model's bytes in a file, a buffer or a Blob. */
export interface ByteSource {
  /** Name for messages, such as a path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Reads exactly the bytes [offset, offset + length). Rejects if the source ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Fills `target` with the bytes from `offset` on, which saves an allocation. */
  readInto?(target: Uint8Array, offset: number): Promise<void>;
  /** All bytes, if they are in memory. */
  readonly bytes?: Uint8Array;
  /** The Blob behind it, whose slices an output can share. */
  readonly blob?: Blob;
}

/** A model, as the public functions take it. */
export type ModelInput = Uint8Array | Blob | ReadableStream<BufferBytes> | ByteSource;

/** Opens a model for random access. Reads a stream into a Blob first. */
export async function openInput(input: ModelInput, name?: string): Promise<ByteSource> {
  return toSource('getReader' in input ? await new Response(input).blob() : input, name);
}

/** Wraps a model as a `ByteSource`; `name` is for messages. */
export function toSource(input: Exclude<ModelInput, ReadableStream>, name = 'model'): ByteSource {
  if (input instanceof Uint8Array) {
    return {
      name,
      size: input.length,
      bytes: input,
      read: async (offset, length) => input.subarray(offset, offset + length),
    };
  }
  if (input instanceof Blob) {
    return {
      name,
      size: input.size,
      blob: input,
      read: async (offset, length) =>
        new Uint8Array(await input.slice(offset, offset + length).arrayBuffer()),
    };
  }
  return input;
}
