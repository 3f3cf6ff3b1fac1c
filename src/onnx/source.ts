/** Random access to a model's bytes: a file, a buffer or a Blob look the same to the reader. */
export interface ByteSource {
  /** What messages call it: a path, say. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Exactly the bytes [offset, offset + length); rejects when the source ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Fills `target` with the bytes from `offset` on, where that saves an allocation. */
  readInto?(target: Uint8Array, offset: number): Promise<void>;
  /** All bytes, where they are in memory anyway. */
  readonly bytes?: Uint8Array;
  /** The Blob behind it, whose slices an output can share. */
  readonly blob?: Blob;
}

/** What the public functions take a model as. */
export type ModelInput = Uint8Array | Blob | ReadableStream<Uint8Array<ArrayBuffer>> | ByteSource;

/** What can be read at any place: a stream is gathered into a Blob first. */
export async function openInput(input: ModelInput, name?: string): Promise<ByteSource> {
  return toSource(input instanceof ReadableStream ? await new Response(input).blob() : input, name);
}

/** A `ByteSource` over whatever the caller has; `name` is for messages. */
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
