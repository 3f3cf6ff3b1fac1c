import { foldDocument } from '../mish/fold-document.js';
import type { FormName, Target } from '../mish/forms.js';
import type { FoldReport } from '../mish/results.js';
import { retarget } from '../mish/retarget.js';
import { scan } from '../onnx/scan.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { forTarget } from './for-target.js';

/** Form, folding and target of the kept model. */
export interface FinishOptions {
  /** Form to convert to; undefined if the model has it already. */
  readonly form: FormName | undefined;
  /** Whether sharpness is folded into weights. */
  readonly fold: boolean | undefined;
  readonly target: Target | undefined;
}

/** Converts the kept model to its form, folds its sharpness and fits it to the target, as the options ask. */
export async function finish(
  kept: Spliced,
  { openData }: LoadedModel,
  { form, fold, target }: FinishOptions,
): Promise<{ output: Spliced; notes: readonly string[]; fold: FoldReport | null }> {
  const written =
    form === undefined ? kept : (await retarget(await kept.bytes(), { form, undo: false })).output;
  const folded = fold
    ? await foldDocument(await scan(await written.bytes()), { openData, undo: false })
    : undefined;
  const { output, notes } = await forTarget(folded?.output ?? written, target);
  return { output, notes, fold: folded?.report ?? null };
}
