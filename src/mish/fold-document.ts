import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import { type Foldable, planFolds } from './fold-plan.js';
import { foldReport } from './fold-sites.js';
import { spliceWithRecord } from './history.js';
import { type Recognised, recognise } from './recognise.js';
import type { FoldReport } from './results.js';
import { rewriteMish } from './rewrite-mish.js';
import { commonBeta, countMixtures } from './swap.js';

export interface FoldOptions {
  /** Opens external data; without it, weights in other files stay unchanged. */
  readonly openData?: OpenData | undefined;
  /** Store the undo record, with the old weights, in the model; true by default. */
  readonly undo?: boolean | undefined;
}

/** Does what `foldSharpness` does, for a scanned document. */
export async function foldDocument(
  document: OnnxDocument,
  options: FoldOptions = {},
): Promise<{ output: Spliced; report: FoldReport }> {
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
  const edits = [...(await rewriteMish(document, analysis.index, folded, { beta: 1 })), ...folding.edits];
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
