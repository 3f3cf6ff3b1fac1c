import { OnnxMishError } from '../base/error.js';

/** Limits of a pass over tensors. */
export interface PassLimits {
  /** Maximum number of tensors in a pass; default 48, and no maximum where the sizes are known. */
  readonly chunk?: number | undefined;
  /** Approximate maximum of bytes that the tensors of a pass take; default 256 MiB. */
  readonly bytes?: number | undefined;
}

/** The work of a pass over some tensors. */
export interface TensorPass<Item> {
  /** Returns the bytes of a tensor. Without it, the size of a pass follows from the bytes of the pass before. */
  readonly bytesOf?: ((item: Item) => number) | undefined;
  /** Receives the number of finished tensors before each pass. */
  readonly before: (done: number) => void;
  /** Handles some tensors, and returns the bytes of its largest run. */
  readonly run: (part: readonly Item[]) => Promise<number>;
  /** Receives a tensor whose pass fails, and the reason. */
  readonly failed: (item: Item, why: string) => void;
}

/** Number of tensors in the first pass, before any size is measured. */
export const MAX_FIRST_TENSORS = 4;
const DEFAULT_PASS_TENSORS = 48;
const DEFAULT_PASS_BYTES = 2 ** 28;

/**
 * Handles tensors in passes, in their order. Where a pass fails, halves it until the failing tensor is alone. Throws what `run`
 * throws, except `run-failed`.
 */
export async function inPasses<Item>(
  items: readonly Item[],
  { chunk, bytes = DEFAULT_PASS_BYTES }: PassLimits,
  pass: TensorPass<Item>,
): Promise<void> {
  const { bytesOf } = pass;
  if (bytesOf !== undefined) {
    let at = 0;
    for (const part of evenParts(items, { chunk, bytes }, bytesOf)) {
      pass.before(at);
      await runHalving(part, pass);
      at += part.length;
    }
    return;
  }
  const most = chunk ?? DEFAULT_PASS_TENSORS;
  let size = Math.min(most, MAX_FIRST_TENSORS);
  for (let at = 0; at < items.length; ) {
    pass.before(at);
    const part = items.slice(at, at + size);
    const used = await runHalving(part, pass);
    at += part.length;
    // The next tensors are probably about as large as the last, or a few times larger.
    const fitting = Math.floor((bytes * part.length) / Math.max(1, used));
    size = Math.max(1, Math.min(most, fitting, 4 * size));
  }
}

/** Splits tensors into as few parts as the limits allow, of about the same bytes each. */
function evenParts<Item>(
  items: readonly Item[],
  { chunk = items.length, bytes = DEFAULT_PASS_BYTES }: PassLimits,
  bytesOf: (item: Item) => number,
): Item[][] {
  const total = items.reduce((sum, item) => sum + bytesOf(item), 0);
  const share = total / Math.max(1, Math.ceil(total / bytes));
  const parts: Item[][] = [];
  let part: Item[] = [];
  let used = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const isFull = part.length >= chunk || used + size > bytes || used >= share;
    if (isFull && part.length > 0) {
      parts.push(part);
      part = [];
      used = 0;
    }
    part.push(item);
    used += size;
  }
  return part.length > 0 ? [...parts, part] : parts;
}

/** Runs a pass; on a failure, runs each half by itself. Returns the bytes. */
async function runHalving<Item>(part: readonly Item[], pass: TensorPass<Item>): Promise<number> {
  try {
    return await pass.run(part);
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
    const [only] = part;
    if (part.length === 1 && only !== undefined) {
      pass.failed(only, error.what);
      return 0;
    }
    const half = Math.ceil(part.length / 2);
    const left = await runHalving(part.slice(0, half), pass);
    return left + (await runHalving(part.slice(half), pass));
  }
}
