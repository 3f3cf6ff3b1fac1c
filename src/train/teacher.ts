// Mixes a teacher's outputs into the targets of a batch (distillation).
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { splice } from '../onnx/splice.js';
import { modelFromBytes } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { type Tensors, toNumbers } from '../providers/tensor.js';
import type { LossName } from './losses.js';
import type { Teacher } from './trainer-options.js';
import { scoresOf } from './training-step.js';

/** An open teacher. */
export interface OpenTeacher {
  /** Mixes the teacher's outputs for a batch into its targets. Throws `run-failed`. */
  mix(feeds: Tensors, targets: Float32Array): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_SHARE = 0.5;

/** Opens a teacher. `length` is the number of elements of the output for one sample. Throws `bad-usage`, `bad-data`, `run-failed`. */
export async function openTeacher(
  { model: given, share = DEFAULT_SHARE }: Teacher,
  output: string,
  loss: LossName,
  length: number,
  options: OnProvider & { readonly session?: SessionOptions | undefined },
): Promise<OpenTeacher> {
  if (!(share >= 0 && share <= 1))
    throw new OnnxMishError('bad-usage', `the share of the teacher must be from 0 to 1, got ${share}`);
  const model = given instanceof Uint8Array ? await modelFromBytes(given) : given;
  const { document } = model;
  const scores = scoresOf(document, indexGraphs(document), { output, loss });
  const cut = splice(document.source, extractEdits(document, [scores]));
  const session = await model.withEdited(cut, (copy) => options.provider.open(copy, options.session));
  return {
    async mix(feeds, targets) {
      const tensor = ownProperty(await session.run(feeds), scores);
      const values = tensor && toNumbers(tensor);
      if (values?.length !== targets.length) {
        const what = `the teacher's output '${scores}' has shape [${tensor?.dims}], which differs from the model's`;
        throw new OnnxMishError('bad-data', what, { fix: 'Give a teacher with the same inputs and output' });
      }
      for (let from = 0; from < targets.length; from += length) {
        const predicted = PREDICTIONS[loss](values, from, length);
        for (let at = 0; at < length; at++)
          targets[from + at] = (1 - share) * (targets[from + at] ?? 0) + share * (predicted[at] ?? 0);
      }
    },
    close: () => session.close(),
  };
}

/** Returns the predictions behind the scores of a sample, in the form of targets. */
const PREDICTIONS: Readonly<
  Record<LossName, (scores: ArrayLike<number>, from: number, length: number) => Float64Array>
> = {
  'cross-entropy'(scores, from, length) {
    const row = Float64Array.from({ length }, (_, at) => scores[from + at] ?? 0);
    const top = row.reduce((best, score) => Math.max(best, score), Number.NEGATIVE_INFINITY);
    const powers = row.map((score) => Math.exp(score - top));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  },
  bce: (scores, from, length) =>
    Float64Array.from({ length }, (_, at) => 1 / (1 + Math.exp(-(scores[from + at] ?? 0)))),
  mse: (scores, from, length) => Float64Array.from({ length }, (_, at) => scores[from + at] ?? 0),
};
