import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import type { Foldable } from './fold-plan.js';
import { spliceWithRecord } from './history.js';
import { type Recognised, recognise } from './recognise.js';
import { type FoldReport, foldReport } from './results.js';
import { rewriteMish } from './retarget.js';
import { commonBeta, countMixtures } from './swap.js';

export interface FoldOptions {
  /** Opens external data; without it, weights in other files stay unchanged. */
  readonly openData?: OpenData | undefined;
  /** Store the undo record, with the old weights, in the model; true by default. */
  readonly undo?: boolean | undefined;
}

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
  return foldDocument(await scan(input), options);
}

/** Does what `foldSharpness` does, for a scanned document. */
export async function foldDocument(
  document: OnnxDocument,
  options: FoldOptions = {},
): Promise<{ output: Spliced; report: FoldReport }> {
  const { planFolds } = await import('./fold-plan.js'); // a page that does not fold does not load it
  const analysis = analyse(document);
  const found = await recognise(document, analysis);
  const blocked = new Set(found.flatMap((mish) => nodesOf(mish)));
  const sites = found
    .filter(({ beta }) => beta !== 1)
    .map((mish): Recognised & Foldable => {
      return { ...mish, nodes: new Set(nodesOf(mish)), y: mish.node.outputs[0] ?? '' };
    });
  const folding = await planFolds({ document, index: analysis.index, blocked }, sites, options.openData);
  const folded = [...folding.folded];
  const edits = [...rewriteMish(document, analysis.index, folded, { beta: 1 }), ...folding.edits];
  const forms = [...new Set(folded.map(({ form }) => form.name))];
  const operation = {
    operation: 'fold',
    form: forms.join(', '),
    ...commonBeta(folded),
    ...countMixtures(folded),
    sites: folded.length,
  } as const;
  const output = await spliceWithRecord(document, edits, [operation], options.undo ?? true);
  return { output, report: foldReport(folding) };
}

/** Returns the nodes that compute a Mish. */
function nodesOf({ node, inner }: Pick<Recognised, 'node' | 'inner'>) {
  return [node, ...inner];
}
