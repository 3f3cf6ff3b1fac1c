// Prepares a training: checks the data, builds the training step and reads the initial weights.

import { OnnxMishError } from '../base/error.js';
import { integer, plural } from '../base/plural.js';
import type { Samples } from '../data/samples.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Edit } from '../onnx/splice.js';
import type { EditableModel, LoadedModel } from '../providers/loaded-model.js';
import type { Tensors } from '../providers/tensor.js';
import { accumulating } from './accumulate-gradients.js';
import { sampleNorms, staysFrozen } from './batch-norms.js';
import { coupledSamples } from './coupled-samples.js';
import { findBlock } from './find-block.js';
import { gradientEnds } from './gradient-ends.js';
import { type GraphOptimizer, graphOptimizer } from './graph-optimizers.js';
import { initialValues } from './initial-values.js';
import { withBatchNorm } from './insert-batch-norm.js';
import { keptConstants } from './kept-constants.js';
import { floatOutputs, lossOutput } from './loss-output.js';
import { firstBatch, firstBatches, sampledInputs, samplesOf } from './model-samples.js';
import { prepareTraining, runsPerStep } from './prepare-training.js';
import { probeWithSession } from './probe.js';
import { checkRunningStatistics } from './running-statistics.js';
import { hasTarget, type TargetRows, targetDims, targetRows } from './targets.js';
import {
  DEFAULT_BATCH_SAMPLES,
  type LabelledSamples,
  MIN_BATCH_NORM_SAMPLES,
  type ProviderTrainerOptions,
  type ResolvedSettings,
} from './trainer-options.js';
import { listNames, listNodes, type TrainingRemarkCode } from './training-remark.js';
import { type TrainingStep, trainingStep } from './training-step.js';

/** Remark on a training, for people; the code is for programs. */
export interface TrainerRemark {
  readonly code:
    | TrainingRemarkCode
    | 'batch-norm'
    | 'first-output'
    | 'ignored-labels'
    | 'loss-chosen'
    | 'partial-batch';
  readonly text: string;
}

/** Samples and targets that fit the model. */
export interface CheckedSamples {
  readonly samples: Samples;
  readonly rows: TargetRows;
}

export interface TrainingPlan {
  /** The copy of the model that is trained. */
  readonly model: EditableModel;
  /** Returns the shape of a value of the copy for a batch. */
  dims(name: string): readonly number[];
  readonly step: TrainingStep;
  readonly optimizer: GraphOptimizer;
  /** The output that the loss is computed from. */
  readonly output: string;
  /** Names of the weights that are trained. */
  readonly trained: readonly string[];
  readonly data: CheckedSamples;
  /** A batch of the first samples. */
  readonly feeds: Tensors;
  readonly batch: number;
  /** Number of samples in a step, which may take several runs. */
  readonly stepSamples: number;
  /** Shape of the output for one sample. */
  readonly outputDims: readonly number[];
  /** Initial values of weights and running statistics. */
  readonly initial: ReadonlyMap<string, Float32Array>;
  readonly remarks: readonly TrainerRemark[];
  /** Returns the edits that write weights and running statistics into the original. */
  edits(values: ReadonlyMap<string, ArrayLike<number>>): Promise<Edit[]>;
  /** Checks further samples. Throws `bad-data`. */
  check(labelled: LabelledSamples): CheckedSamples;
}

/** Prepares a training. Throws `bad-data` and `bad-usage` for data and settings that do not fit the model, `run-failed`. */
export async function planTraining(
  original: LoadedModel,
  options: ProviderTrainerOptions,
  settings: ResolvedSettings,
): Promise<TrainingPlan> {
  const output = lossOutput(original.document, settings.output);
  const inputs = sampledInputs(original.document);
  const samples = someSamples(options, inputs);
  const wanted = settings.batch ?? Math.min(DEFAULT_BATCH_SAMPLES, samples.count);
  const first = await firstBatch(samples, wanted);
  const { provider, session } = options;
  const { loss } = settings;
  const plain = await prepareTraining(original, { output, loss, feeds: first, provider, session });
  const { batch = wanted } = plain;
  const free = { ...plain, weights: plain.weights.filter(({ name }) => options.freeze?.(name) !== true) };
  if (free.weights.length === 0) throw noWeights(original.document, '');
  const prepared =
    settings.batchNorm === 'insert'
      ? await withBatchNorm(free, () => firstBatches(samples, batch), options)
      : free;
  const { model, index, weights, remarks: changes } = prepared;
  const feeds = batch === wanted ? first : await firstBatch(samples, batch);
  const probe = await probeWithSession(model, feeds, options);
  const trainsNorms =
    settings.batchNorm === 'auto' ? batch >= MIN_BATCH_NORM_SAMPLES : settings.batchNorm !== 'frozen';
  checkRunningStatistics(model.document, index, weights, { moves: trainsNorms, freeze: options.freeze });
  const coupled = batch > 1 ? await coupledSamples(model, feeds, output, options) : [];
  const optimizer = accumulating(graphOptimizer(settings.optimizer), runsPerStep(plain.batch, wanted));
  const step = trainingStep(model.document, index, probe, {
    ...(await stepOptions(options, settings)),
    weights,
    output: prepared.output,
    optimizer,
    omitted: prepared.omitted,
    batchNorm: trainsNorms ? 'train' : 'frozen',
  });
  const outputDims = outputDimsOf(step, output, batch);
  if (step.unreached.length === weights.length)
    throw noWeights(original.document, listNodes(step.withoutGradient));
  const rowsOf = ({ targets, origin }: LabelledSamples, { count }: Samples, mayBeEqual: boolean) => {
    const { layout } = step;
    const { ignoreLabel } = settings;
    return targetRows(targets, loss, outputDims, count, { mayBeEqual, origin, layout, ignoreLabel });
  };
  const check = (labelled: LabelledSamples): CheckedSamples => {
    const checked = someSamples(labelled, inputs);
    // A validation or test part may be of one class by chance.
    return { samples: checked, rows: rowsOf(labelled, checked, true) };
  };
  const data = { samples, rows: rowsOf(options, samples, false) };
  const initial = await initialValues(step, model, { index, dims: probe.dims }, options.initial);
  return {
    model,
    step,
    optimizer,
    output,
    feeds,
    batch,
    outputDims,
    initial,
    check,
    dims: probe.dims,
    stepSamples: batch * runsPerStep(plain.batch, wanted),
    trained: weights.map(({ name }) => name).filter((name) => initial.has(name)),
    data,
    edits: prepared.edits,
    remarks: [
      ...outputRemarks(original.document, settings.output),
      ...changes,
      ...coupled,
      ...gradientEnds(model.document, index, step),
      ...keptConstants(model.document, index, step.scores, [...plain.weights, ...weights], plain.neutral),
      ...normRemarks(model, trainsNorms, options.freeze),
      ...batchRemarks(samples.count, batch),
      ...labelRemarks(data, settings),
    ],
  };
}

/** Returns the samples for these inputs. Throws `bad-data` if there are none. */
function someSamples(labelled: LabelledSamples, inputs: ReturnType<typeof sampledInputs>): Samples {
  const samples = samplesOf(labelled, inputs);
  if (samples.count > 0) return samples;
  throw new OnnxMishError('bad-data', 'the data set has no samples', { fix: 'Give samples' });
}

/** Returns the options of a training step that follow from the settings alone. */
async function stepOptions(options: ProviderTrainerOptions, settings: ResolvedSettings) {
  const { targets, teacher, freeze, provider, session } = options;
  return {
    loss: settings.loss,
    labelSmoothing: settings.labelSmoothing,
    targetDims: targetDims(targets),
    mixesTargets: teacher !== undefined,
    ignores: hasTarget(targets, settings.ignoreLabel),
    freeze,
    maxGradientNorm: settings.maxGradientNorm,
    avoidsGroups: provider.name.startsWith('webgpu'),
    block: await findBlock(provider, session),
  };
}

/** Returns the shape of the output for one sample. Throws `bad-data` for an output without an axis of samples. */
function outputDimsOf({ targets: { dims } }: TrainingStep, output: string, batch: number): readonly number[] {
  if (dims[0] === batch) return dims.slice(1);
  throw new OnnxMishError('bad-data', `the output '${output}' has shape [${dims}] for a batch of ${batch}`, {
    fix: 'Name an output whose first axis counts samples, or export the model so that the first axis of its inputs and outputs does (batch_first=True in PyTorch)',
  });
}

function noWeights({ source }: OnnxDocument, ends: string): OnnxMishError {
  const what =
    ends === ''
      ? 'the model has no weights to train'
      : `no gradient reaches a weight, because it ends at ${ends}`;
  return new OnnxMishError('bad-usage', what, {
    where: source.name,
    fix: 'Give a model with float32 weights in Conv, Gemm, MatMul or normalisation nodes that are not frozen',
  });
}

/** Returns a remark on the output that the loss is computed from, if it was chosen from several. */
function outputRemarks(document: OnnxDocument, wanted: string | undefined): TrainerRemark[] {
  const [first, ...others] = floatOutputs(document);
  if (wanted !== undefined || others.length === 0) return [];
  const text = `The loss is computed from the output '${first}', the first of floats; the others are ${listNames(others)}`;
  return [{ code: 'first-output', text }];
}

function normRemarks(
  { document }: EditableModel,
  trained: boolean,
  freeze: ProviderTrainerOptions['freeze'],
): TrainerRemark[] {
  const norms = sampleNorms(document.graph);
  if (norms.length === 0) return [];
  const staying = norms.filter((norm) => staysFrozen(norm, freeze));
  const isAny = trained && staying.length < norms.length;
  const but =
    isAny && staying.length > 0
      ? `, except in ${integer(staying.length)} of ${plural(norms.length, 'layer')}`
      : '';
  const text = isAny
    ? `Batch normalisation uses the statistics of the batch and moves the running statistics${but}`
    : 'Batch normalisation uses the running statistics, which stay';
  return [{ code: 'batch-norm', text }];
}

function labelRemarks(
  { rows: { labels } }: CheckedSamples,
  { ignoreLabel }: ResolvedSettings,
): TrainerRemark[] {
  if (labels === undefined || labels.ignored === 0) return [];
  const share = Number(((100 * labels.ignored) / labels.count).toPrecision(2));
  const text = `${labels.ignored} of the ${plural(labels.count, 'training label')} (${share} %) are ${ignoreLabel} and do not count`;
  return [{ code: 'ignored-labels', text }];
}

function batchRemarks(count: number, batch: number): TrainerRemark[] {
  const rest = count % batch;
  if (rest === 0) return [];
  const text = `Each epoch leaves out ${integer(rest)} of the ${plural(count, 'sample')}, which ${rest === 1 ? 'does' : 'do'} not fill a batch of ${batch}`;
  return [{ code: 'partial-batch', text }];
}
