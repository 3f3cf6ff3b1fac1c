// Mixes a teacher's outputs into the targets of a batch (distillation).
import { OnnxMishError } from '../base/error.js';
import { placeStart, type ScoreLayout } from '../metrics/score-layout.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { splice } from '../onnx/splice.js';
import { modelFromBytes } from '../providers/loaded-model.js';
import { type Tensors, toNumbers } from '../providers/tensor.js';
import { fixedBatch, type RunOptions, runInParts, withFreeBatch } from './batch-of-copy.js';
import { withoutReshapedActivation } from './final-activation.js';
import { giveProbabilities } from './log-probabilities.js';
import type { LossName } from './losses.js';
import type { Teacher } from './trainer-options.js';
import { trainingCopy } from './training-copy.js';
import { scoresOf } from './training-step.js';

/** An open teacher. */
export interface OpenTeacher {
  /** Mixes the teacher's outputs for a batch into its targets. Throws `run-failed`. */
  mix(feeds: Tensors, targets: Float32Array): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_SHARE = 0.5;

/** Opens a teacher. `layout` is that of the model's output, and `feeds` a batch as those to come. Throws `bad-usage`, `bad-data`, `run-failed`. */
export async function openTeacher(
  { model: given, share = DEFAULT_SHARE }: Teacher,
  output: string,
  loss: LossName,
  layout: ScoreLayout,
  options: RunOptions & { readonly feeds: Tensors },
): Promise<OpenTeacher> {
  if (!(share >= 0 && share <= 1))
    throw new OnnxMishError('bad-usage', `the share of the teacher must be from 0 to 1, got ${share}`);
  const whole = given instanceof Uint8Array ? await modelFromBytes(given) : given;
  // The samples are float32, as the copy that is trained takes them.
  const copy = await trainingCopy(whole);
  const fixed = fixedBatch(copy.model.document);
  const freed =
    fixed === undefined ? undefined : await withFreeBatch(copy.model, fixed, options.feeds, options);
  const batch = freed === undefined ? fixed : undefined;
  const { model } = await withoutReshapedActivation(freed ?? copy.model, { output, loss });
  const { document } = model;
  const scores = scoresOf(document, indexGraphs(document), { output, loss });
  const cut = splice(document.source, extractEdits(document, [scores]));
  const session = await model.withEdited(cut, (part) => options.provider.open(part, options.session));
  return {
    async mix(feeds, targets) {
      const tensor = await runInParts(session, batch, feeds, scores);
      const values = tensor && toNumbers(tensor);
      if (values?.length !== targets.length) {
        const what = `the teacher's output '${scores}' has shape [${tensor?.dims}], which differs from the model's`;
        throw new OnnxMishError('bad-data', what, { fix: 'Give a teacher with the same inputs and output' });
      }
      const predicted = PREDICTIONS[loss](values, layout);
      if (loss === 'cross-entropy') ignoreAsIn(targets, predicted, layout);
      for (let at = 0; at < targets.length; at++)
        targets[at] = (1 - share) * (targets[at] ?? 0) + share * (predicted[at] ?? 0);
    },
    close: () => session.close(),
  };
}

/** Sets the predictions at places without a target to 0, so that these do not count. */
function ignoreAsIn(targets: Float32Array, predicted: Float64Array, layout: ScoreLayout): void {
  const { classes, classStride } = layout;
  for (let place = 0; place < targets.length / classes; place++) {
    const start = placeStart(layout, place);
    const end = start + classes * classStride;
    let total = 0;
    for (let at = start; at < end; at += classStride) total += targets[at] ?? 0;
    if (total === 0) for (let at = start; at < end; at += classStride) predicted[at] = 0;
  }
}

/** Returns the predictions behind scores, in the form of targets. Scores that are probabilities are predictions themselves. */
const PREDICTIONS: Readonly<
  Record<LossName, (scores: ArrayLike<number>, layout: ScoreLayout) => Float64Array>
> = {
  'cross-entropy'(scores, layout) {
    if (giveProbabilities(scores, layout)) return Float64Array.from(scores);
    const { classes, classStride } = layout;
    const predicted = new Float64Array(scores.length);
    for (let place = 0; place < scores.length / classes; place++) {
      const start = placeStart(layout, place);
      const at = (number: number) => start + number * classStride;
      let top = Number.NEGATIVE_INFINITY;
      for (let number = 0; number < classes; number++) top = Math.max(top, scores[at(number)] ?? 0);
      let sum = 0;
      for (let number = 0; number < classes; number++)
        sum += predicted[at(number)] = Math.exp((scores[at(number)] ?? 0) - top);
      for (let number = 0; number < classes; number++)
        predicted[at(number)] = (predicted[at(number)] ?? 0) / sum;
    }
    return predicted;
  },
  bce: (scores) => Float64Array.from(scores, (score) => 1 / (1 + Math.exp(-score))),
  mse: (scores) => Float64Array.from(scores),
};
