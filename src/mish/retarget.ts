import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { RetargetOptions, RetargetReport } from './retarget-report.js';

export type { RetargetOptions, RetargetReport };

/**
 * Rewrites the Mish of a model into another form of the same function. For a target, also rewrites HardSwish, LeakyRelu and Elu
 * where the target lacks the operator. Nodes of the old form stay if other nodes read
 * them, or if they are outputs. Throws the errors of `swap`.
 *
 * @example
 * import { retarget } from 'onnx-mish';
 *
 * const { output } = await retarget(bytes, { target: 'webgl' });
 * const forWebgl = await output.blob();
 */
export async function retarget(
  input: ModelInput,
  options: RetargetOptions,
): Promise<{ output: Spliced; report: RetargetReport }> {
  const { retargetDocument } = await import('./retarget-document.js'); // loaded on demand, for smaller pages
  return retargetDocument(await scan(input), options);
}
