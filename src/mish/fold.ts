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
  /** Opens external data; without it weights that are in other files stay as they are. */
  readonly openData?: OpenData | undefined;
  /** Keep in the model what `undo` needs, which is the old weights; true unless given. */
  readonly undo?: boolean | undefined;
}

/**
 * Takes the sharpness out of the Mish, and the mixtures, of the main graph and into the weights around them, where all that
 * lies between is positively homogeneous: mish_b(x) = mish(bx) / b. Those sites become plain Mish of a scaled input, with a
 * node or two less each; outputs differ by rounding, and not even by that where b is a power of two. In float16 a scaled
 * input or output may overflow where b · x would be above 65504. Sites that cannot be folded stay as they are.
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

/** `foldSharpness` for a document that has been scanned already. */
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

/** The nodes that compute one Mish. */
function nodesOf({ node, inner }: Pick<Recognised, 'node' | 'inner'>) {
  return [node, ...inner];
}
