// A training of one arm: the swapped model, or its control.
import { OnnxMishError } from '../base/error.js';
import { clusteredInterval, samplesThatCount, sharesOfClusters } from '../metrics/clusters.js';
import { matches } from '../mish/sites.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { readWeight, weightOf } from '../onnx/weights.js';
import type { EditableModel, LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import type { Evaluation } from '../train/evaluate.js';
import { sampleNumber } from '../train/targets.js';
import { createTrainer, type ModelTrainer } from '../train/train-model.js';
import type { Teacher } from '../train/trainer-options.js';
import type { SampleResults } from './compare-arms.js';
import type { FinetuneOptions } from './options.js';
import type { FinetuneRun, Score } from './report-schema.js';
import type { DataParts, LabelledPart } from './split-data.js';

/** Options of all trainings of a fine-tuning, with defaults. */
export type ArmOptions = FinetuneOptions & OnProvider & { readonly epochs: number; readonly warmUp: number };

/** Opens a trainer of a model. Both arms of a seed get the same batches. */
export async function openArm(
  model: LoadedModel,
  { train, validation }: DataParts,
  options: ArmOptions,
  seed: number,
  more: {
    readonly teacher?: Teacher | undefined;
    readonly resume?: Uint8Array | undefined;
    /** Receives advice on each pattern of `freeze` that matches no weight or running statistic, on a model that couples samples, and on a choice among outputs. */
    readonly onDoubt?: FinetuneOptions['onDoubt'];
    readonly onStep?: ((step: number, of: number, secondsLeft: number, loss: number) => void) | undefined;
  } = {},
): Promise<ModelTrainer> {
  const { freeze = [], patience, epochs, warmUp, provider, session, signal } = options;
  const unmatched = new Set(freeze);
  const trainer = await createTrainer(model, {
    ...trainerSettings(options),
    ...train,
    validation,
    seed,
    provider,
    session,
    signal,
    teacher: more.teacher,
    resume: more.resume,
    freeze(name) {
      const matching = freeze.filter((pattern) => matches(pattern, name));
      for (const pattern of matching) unmatched.delete(pattern);
      return matching.length > 0;
    },
    warmUp: warmUp * epochs,
    // Without patience, nothing is chosen on the validation part: the original may have been trained on it.
    keep: patience === undefined ? 'last' : 'best',
    onProgress: more.onStep,
  });
  for (const pattern of unmatched)
    more.onDoubt?.({
      text: `no weight that could be trained matches '${pattern}'`,
      option: { freeze: null },
    });
  for (const { code, text } of trainer.remarks) {
    if (code === 'coupled-samples') more.onDoubt?.({ text });
    if (code === 'first-output') more.onDoubt?.({ text, option: { head: null } });
  }
  return trainer;
}

/** Returns the original as the teacher of a training, if its outputs are mixed into the targets. */
export const teacherOf = (original: LoadedModel, { teacher }: ArmOptions): Teacher | undefined =>
  teacher ? { model: original, share: teacher } : undefined;

/** Returns the settings of a training that decide its result. */
export function trainerSettings(options: ArmOptions) {
  const { output, loss, labelSmoothing, optimizer, rate, schedule, decayEpochs, decay, epochs } = options;
  const { batch, batchNorm, maxGradientNorm, augment, patience, ignoreLabel } = options;
  return {
    output,
    loss,
    labelSmoothing,
    optimizer,
    rate,
    schedule,
    decayEpochs,
    decay,
    epochs,
    batch,
    batchNorm,
    maxGradientNorm,
    augment,
    patience,
    ignoreLabel,
  };
}

/** Evaluates a training on a part of the data. Throws `bad-data` for a sample whose loss is NaN or infinite. */
export async function evaluatePart(
  trainer: Pick<ModelTrainer, 'evaluate'>,
  part: LabelledPart,
): Promise<Evaluation> {
  const evaluation = await trainer.evaluate(part);
  const at = evaluation.losses.findIndex((loss) => !Number.isFinite(loss));
  if (at < 0) return evaluation;
  const { name, part: kind } = part.origin ?? {};
  const what = `the loss of ${kind === undefined ? '' : `${kind} `}sample ${sampleNumber(part.origin, at)} is ${evaluation.losses[at]}`;
  const fix = 'Remove the sample, or check what the model computes from it';
  throw new OnnxMishError('bad-data', what, { where: name, fix });
}

/** Returns the score of an evaluation. */
export function scoreOf({ loss, accuracy, correct, counted, meanIou, multiLabel }: Evaluation): Score {
  if (accuracy === null || correct === null || counted === null) return { loss, accuracy };
  const interval = clusteredInterval(correct, counted);
  const n = samplesThatCount(counted).length;
  return {
    loss,
    accuracy,
    n,
    interval,
    ...(meanIou === null ? {} : { meanIou }),
    ...(multiLabel === null ? {} : { multiLabel }),
  };
}

/**
 * Returns the loss and the share of correct predictions of each sample. A sample with fewer predictions that count weighs less, so that
 * the means are those of all predictions; one without any is left out.
 */
export function resultsOf({ losses, correct, counted }: Evaluation): SampleResults {
  if (correct === null || counted === null) return { losses, correct };
  const sums = Float64Array.from(losses, (loss, at) => loss * (counted[at] ?? 0));
  return {
    losses: sharesOfClusters(sums, counted),
    correct: sharesOfClusters(correct, counted),
  };
}

/** Returns how far each trained weight of the result is from its values in the model, the furthest first. */
export async function movedWeights(model: LoadedModel, trainer: ModelTrainer): Promise<FinetuneRun['moved']> {
  // The trainer's weights may be those of a copy with more nodes, such as inserted batch normalisations.
  const result = await model.edited(await trainer.model());
  const [before, after] = [valuesIn(model), valuesIn(result)];
  const moved: FinetuneRun['moved'] = [];
  for (const name of trainer.trained) {
    const [old, values] = [await before(name), await after(name)];
    if (old === undefined || values === undefined) continue;
    let [squares, difference] = [0, 0];
    for (let at = 0; at < old.length; at++) {
      squares += (old[at] ?? 0) ** 2;
      difference += ((values[at] ?? 0) - (old[at] ?? 0)) ** 2;
    }
    moved.push({ weight: name, change: squares === 0 ? null : Math.sqrt(difference / squares) });
  }
  return moved.toSorted(
    (a, b) => (b.change ?? Number.POSITIVE_INFINITY) - (a.change ?? Number.POSITIVE_INFINITY),
  );
}

/** Returns a function that reads a weight of a model's main graph; its result is undefined for other names. */
function valuesIn({ document, openData }: EditableModel) {
  const index = indexGraphs(document);
  return async (name: string) => {
    const weight = weightOf(index, document.graph, name);
    return weight && readWeight(document, weight, openData);
  };
}
