import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { FoldOptions } from './fold-document.js';
import type { FoldReport } from './results.js';

export type { FoldOptions };

/**
 * Moves the sharpness of Mish and mixtures in the main graph into the weights around them: mish_b(x) = mish(bx) / b. All nodes
 * between site and weights must be positively homogeneous. A folded site becomes plain Mish of a scaled input and saves
 * one or two nodes. Outputs differ by rounding only; for b a power of two they are equal. In float16 a scaled value
 * overflows where b · x exceeds 65504. Other sites stay unchanged.
 *
 * Throws as `scan` does.
 *
 * @example
 * import { foldSharpness, swap } from 'onnx-mish';
 *
 * const { output } = await swap(bytes, { beta: 4 });
 * const { report } = await foldSharpness(await output.bytes());
 * console.log(report);
 */
export async function foldSharpness(
  input: ModelInput,
  options: FoldOptions = {},
): Promise<{ output: Spliced; report: FoldReport }> {
  const { foldDocument } = await import('./fold-document.js'); // a page that does not fold does not load it
  return foldDocument(await scan(input), options);
}
