// Chooses the loss by the targets, where the settings name none.
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import { convert } from '../data/convert.js';
import { scoreLayout } from '../metrics/score-layout.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Session } from '../providers/provider.js';
import { elementCount, type Tensors } from '../providers/tensor.js';
import { withModelSession } from '../providers/with-session.js';
import { fixedBatch, type RunOptions } from './batch-of-copy.js';
import { lossOutput } from './loss-output.js';
import type { LossName } from './losses.js';
import { firstBatch, sampledInputs, samplesOf } from './model-samples.js';
import {
  areProbabilities,
  isTargetTensor,
  type Targets,
  targetCount,
  targetDims,
  targetNumbers,
} from './targets.js';
import type { LabelledSamples, TrainerSettings } from './trainer-options.js';

/** A loss that was chosen by the targets. */
export interface ChosenLoss {
  readonly loss: LossName;
  /** Sentence that says why; undefined for cross-entropy, which is the usual one. */
  readonly reason: string | undefined;
}

/** Options of the choice of a loss. */
export interface LossChoiceOptions extends RunOptions, Pick<TrainerSettings, 'loss' | 'output'> {
  readonly signal?: AbortSignal | undefined;
}

const REASONS: Readonly<Record<LossName, string | undefined>> = {
  'cross-entropy': undefined,
  bce: 'The loss is bce, since each score of the model has a label of its own, 0 or 1',
  mse: 'The loss is mse, since the targets are numbers, and neither classes nor probabilities',
};

/**
 * Returns the loss of the settings, or chooses one by the targets: cross-entropy for class numbers and probabilities, `bce` where each
 * score has a label of 0 or 1, and `mse` for other numbers. Runs the model on two samples at most if it does not state the
 * shape of its output. Throws `bad-data` for samples that do not fit and for targets that are strings, `bad-usage` for an
 * output without floats, `aborted`.
 */
export async function chooseLoss(
  model: EditableModel,
  labelled: LabelledSamples,
  { loss, output, ...options }: LossChoiceOptions,
): Promise<ChosenLoss> {
  if (loss !== undefined) return { loss, reason: undefined };
  const { targets } = labelled;
  const name = lossOutput(model.document, output);
  const chosen = mustBeClasses(targets)
    ? 'cross-entropy'
    : lossOf(
        targets,
        declaredDims(model.document, name) ?? (await measuredDims(model, labelled, name, options)),
      );
  return { loss: chosen, reason: REASONS[chosen] };
}

const isWhole = (value: number) => Number.isInteger(value);
const isShare = (value: number) => value >= 0 && value <= 1;
const every = (numbers: ArrayLike<number>, test: (value: number) => boolean) =>
  Array.prototype.every.call(numbers, test);

/** Returns whether targets are class numbers in any output: whole numbers, some of which are not 0 or 1. */
function mustBeClasses(targets: Targets): boolean {
  const numbers = targetNumbers(targets);
  return numbers.length === 0 || (every(numbers, isWhole) && !every(numbers, isShare) && !areFloats(targets));
}

/** Returns whether targets are stored as floats. */
const areFloats = (targets: Targets) => isTargetTensor(targets) && /^b?f\d/.test(targets.elemType);

/** Returns the loss for targets and an output whose shape for one sample is `dims`. */
function lossOf(targets: Targets, dims: readonly number[] | undefined): LossName {
  const numbers = targetNumbers(targets);
  // Other targets are class numbers, or do not fit, of which the error tells both shapes.
  if (dims === undefined || numbers.length !== targetCount(targets) * elementCount(dims))
    return 'cross-entropy';
  if (!every(numbers, isShare)) return 'mse';
  const layout = scoreLayout(dims, { targets: targetDims(targets) });
  if (layout.classes > 1 && areProbabilities(numbers, layout)) return 'cross-entropy';
  return every(numbers, isWhole) ? 'bce' : 'mse';
}

/** Returns the shape of an output for one sample, if the model states it. */
function declaredDims({ graph }: OnnxDocument, output: string): readonly number[] | undefined {
  const dims = graph.outputs.find(({ name }) => name === output)?.dims?.slice(1);
  const stated = dims?.flatMap((dim) => (typeof dim === 'number' && dim > 0 ? dim : []));
  return stated?.length === dims?.length ? stated : undefined;
}

/** Number of samples of a run; two, since some models drop a first axis of 1. */
const RUN_SAMPLES = 2;

/** Returns the shape of an output for one sample from a run; undefined if the run fails, which the training will tell. */
async function measuredDims(
  model: EditableModel,
  labelled: LabelledSamples,
  output: string,
  options: Omit<LossChoiceOptions, 'loss' | 'output'>,
): Promise<readonly number[] | undefined> {
  const samples = samplesOf(labelled, sampledInputs(model.document));
  const feeds = await firstBatch(samples, fixedBatch(model.document) ?? Math.min(RUN_SAMPLES, samples.count));
  try {
    const tensors = await withModelSession(model, options, (session) =>
      session.run(typedFor(session, feeds)),
    );
    return ownProperty(tensors, output)?.dims.slice(1);
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'run-failed') return undefined;
    throw error;
  }
}

/** Returns feeds in the types of a session's inputs. */
function typedFor({ inputs }: Session, feeds: Tensors): Tensors {
  return Object.fromEntries(
    inputs.flatMap(({ name, elemType }) => {
      const tensor = ownProperty(feeds, name);
      return tensor === undefined
        ? []
        : [[name, { ...tensor, elemType, data: convert(tensor, elemType, name) }]];
    }),
  );
}
