import { breathe } from '../base/breathe.js';
import type { Advice } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import type { Feeds } from './dataset.js';

/**
 * Returns advice if a sample holds NaN and an output of the original becomes NaN from it; some models replace NaN. Runs the original
 * once, on the first run with such a sample. Throws what `run` throws.
 */
export async function nanDoubt(
  feeds: Feeds,
  run: (feeds: Tensors) => Promise<Tensors>,
  outputs: readonly string[],
): Promise<Advice | undefined> {
  let before = 0;
  for await (const feed of feeds) {
    const found = nanSample(feed);
    if (found === undefined) {
      before += Object.values(feed)[0]?.dims[0] ?? 1;
      await breathe();
      continue;
    }
    const results = await run(feed);
    const broken = outputs.find((name) => nanAt(ownProperty(results, name)) !== undefined);
    if (broken === undefined) return undefined;
    const { input, row } = found;
    const text = `sample ${before + row} of the input '${input}' holds NaN, and so does the original’s output '${broken}'. Leave out such samples, or replace NaN in them`;
    return { text };
  }
  return undefined;
}

/** Finds the first NaN of a run: its input, and its sample among those of the run. */
function nanSample(feed: Tensors): { readonly input: string; readonly row: number } | undefined {
  for (const [input, tensor] of Object.entries(feed)) {
    const at = nanAt(tensor);
    if (at === undefined) continue;
    return { input, row: Math.floor(at / (tensor.data.length / (tensor.dims[0] ?? 1))) };
  }
  return undefined;
}

/** Returns the index of the first NaN. */
function nanAt(tensor: Tensor | undefined): number | undefined {
  if (tensor === undefined || !/^b?f\d/.test(tensor.elemType)) return undefined;
  const values = toNumbers(tensor);
  for (let at = 0; at < (values?.length ?? 0); at++) if (Number.isNaN(values?.[at])) return at;
  return undefined;
}
