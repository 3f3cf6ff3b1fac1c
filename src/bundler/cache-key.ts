import { createHash } from 'node:crypto';
import { VERSION } from '../base/version.js';
import type { DataFile } from '../files/external-data.js';
import { chooseForm } from '../mish/swap.js';
import { swapChoices } from '../mish/swap-choices.js';
import { hashFile } from '../node/host.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { ByteSource } from '../onnx/source.js';
import type { MishOptions } from './request.js';

/**
 * Returns the key of a model in the cache, by its name there, its content, the options and this package's version. The numbers of the
 * document's data files must have been read.
 */
export async function cacheKey(
  name: string,
  { source, external }: OnnxDocument,
  data: readonly DataFile[],
  options: MishOptions,
): Promise<string> {
  // Only folding reads weights, so that only then the key includes them. Numbers always tell what nodes compute.
  const folded = options.fold ? await Promise.all(data.map((one) => hashFile(one.path))) : [];
  const hashes = [await hashSource(source), ...folded];
  const numbers = external.map(({ tensor }) => String(tensor.scalar));
  const { to = 'mish', target } = options;
  const chosen = {
    // A default has the same key as its name.
    to,
    beta: 1,
    leaky: 'mish',
    ...swapChoices(options),
    form: chooseForm(options).name,
    // A target decides more than the form: the rewritten nodes for WebGL, and how other activations are written.
    target: target === 'webgl' || to !== 'mish' ? target : undefined,
    opset: options.opset,
    fold: options.fold,
    undo: options.undo,
  };
  const key = JSON.stringify([VERSION, name, hashes, numbers, chosen]);
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

const BLOCK_BYTES = 1 << 20;

/** Returns the SHA-256 of the open file, which is the content that will be swapped, even if the path changes. */
export async function hashSource(source: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += BLOCK_BYTES) {
    hash.update(await source.read(at, Math.min(BLOCK_BYTES, source.size - at)));
  }
  return hash.digest('hex');
}
