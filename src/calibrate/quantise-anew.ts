import { drawRuns } from '../data/split.js';
import { spliceWithRecord } from '../mish/history.js';
import { type Plan, planOf } from '../mish/plan.js';
import type { Int8Report, SwapReport } from '../mish/results.js';
import { chooseForm, swapDocument } from '../mish/swap.js';
import type { Spliced } from '../onnx/splice.js';
import type { EditableModel, LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import type { FloatVersion } from './int8/float-version.js';
import { measureRanges } from './int8/measured-ranges.js';
import { RANGE_RULES, type RangeRule } from './int8/ranges.js';
import { writeWeights } from './int8/write-weights.js';
import type { CalibrateOptions } from './options.js';
import type { PreparedSamples } from './prepare-samples.js';
import { affordableSamples, PART_SECONDS } from './work/budget.js';

/** A model whose tensors and weights are quantised anew. */
export interface QuantisedCandidate {
  readonly rule: RangeRule;
  readonly output: Spliced;
  readonly report: Int8Report;
  /** Number of stored tensors with new numbers, biases among them. */
  readonly tensors: number;
}

/** Maximum number of samples that ranges are measured on. */
const MAX_RANGE_SAMPLES = 1024;

/**
 * Quantises a repaired float version by each rule for ranges: swaps the sites of the quantised original with ranges from the
 * training samples, and writes the repaired weights into it. Throws as `swapDocument` and `writeWeights` do.
 */
export async function quantiseAnew(
  original: LoadedModel,
  floats: FloatVersion,
  { kept, swap }: { readonly kept: Spliced; readonly swap: SwapReport },
  { subsets, costs, batch }: PreparedSamples,
  options: CalibrateOptions & OnProvider,
): Promise<QuantisedCandidate[]> {
  const { int8, seed = 0, onProgress = () => {} } = options;
  const model = await floats.model.edited(kept);
  const most = Math.min(MAX_RANGE_SAMPLES, affordableSamples(PART_SECONDS.inputs, costs.work));
  const limit = Math.max(1, Math.ceil(most / batch));
  const measured = drawRuns(subsets.train, limit, seed);
  const rangesBy = await measureRanges(floats, swap, model, measured, {
    ...options,
    onProgress: (done, of) => onProgress('measuring the quantised tensors', Math.min(done, of - 1), of),
  });
  const form = chooseForm(options).name;
  const plan: Plan = { ...planOf(swap), form, int8 };
  const made: QuantisedCandidate[] = [];
  for (const rule of RANGE_RULES) {
    const ranges = rangesBy(rule);
    const { output, report } = await swapDocument(original.document, { plan, ranges, undo: false });
    if (report.int8 === undefined) continue;
    const written = await withWeights(await original.edited(output), model, form);
    made.push({ rule, report: report.int8, ...written });
  }
  return made;
}

/** Writes float weights into a swapped quantised model. */
async function withWeights(
  swapped: EditableModel,
  floats: EditableModel,
  form: string,
): Promise<Pick<QuantisedCandidate, 'output' | 'tensors'>> {
  const { edits, tensors } = await writeWeights(swapped, floats);
  const operation = { operation: 'calibrate', form, sites: tensors } as const;
  return { output: await spliceWithRecord(swapped.document, edits, [operation], false), tensors };
}
