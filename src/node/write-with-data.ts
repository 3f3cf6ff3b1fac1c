import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Copy, copyDataFiles } from '../files/external-data.js';
import { type Copied, copyShared, type SharedData } from '../files/shared-data.js';
import { writeTogether } from '../files/write-atomically.js';
import { fillWithBytes, fillWithModel, type WriteOptions } from '../files/write-model.js';
import type { Spliced } from '../onnx/splice.js';

/** Content of a new data file. */
export type DataContent = { readonly location: string } & (
  | { readonly bytes: Uint8Array }
  | { readonly content: Spliced }
);

const sizeOf = (one: DataContent) => ('bytes' in one ? one.bytes.length : one.content.size);

/** A model to write with its data files. */
export interface ToWrite {
  readonly output: Spliced;
  readonly copies: readonly Copy[];
  /** New data files. */
  readonly added: readonly DataContent[];
  /** Receives the copies that are written before the others. */
  readonly copied: Copied;
}

/** Writes a model and its data files together, and reports their progress. `check` runs before they appear. */
export async function writeWithData(
  path: string,
  { output, copies, added, copied }: ToWrite,
  options: WriteOptions & { readonly shared?: SharedData | undefined },
  check: () => Promise<void>,
): Promise<{ readonly output: string; readonly copied: readonly string[]; readonly data?: string }> {
  const { shared, signal, force = false } = options;
  const sizes = [...copies.map(({ bytes }) => bytes), ...added.map(sizeOf), output.size];
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  let done = 0;
  const onCopied = (bytes: number) => {
    done += bytes;
    options.onProgress?.(done, total);
  };
  const copyOptions = { signal, onCopied };
  const fill = (model: Spliced, to: string) => (handle: FileHandle) => {
    let before = 0;
    const onProgress = (now: number) => {
      onCopied(now - before);
      before = now;
    };
    return fillWithModel(model, handle, to, { signal, onProgress });
  };
  if (shared !== undefined) await copyShared(copies, copied, shared, { ...copyOptions, force });
  const placeOf = ({ location }: DataContent) => join(dirname(path), location);
  await writeTogether(force, async (batch) => {
    if (shared === undefined) await copyDataFiles(copies, batch, copyOptions);
    for (const one of added) {
      const to = placeOf(one);
      if ('content' in one) await batch.write(to, fill(one.content, to));
      else {
        await batch.write(to, fillWithBytes(one.bytes, to));
        onCopied(one.bytes.length);
      }
    }
    await batch.write(path, fill(output, path), { throughLink: true });
    await check();
    await options.verify?.();
  });
  const [first] = added;
  const more = first === undefined ? {} : { data: placeOf(first) };
  return { output: path, copied: shared === undefined ? copies.map(({ to }) => to) : copied.files, ...more };
}
