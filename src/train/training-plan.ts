// What a training needs before its first step: checked data, the training step, and the initial weights.
import { OnnxMishError } from '../base/error.js';
import { arraySamples, isSamples, type SampledInput, type Samples } from '../data/samples.js';
import { nodeLabel, type OnnxDocument } from '../onnx/document.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { typeName } from '../onnx/types.js';
import { readWeight } from '../onnx/weights.js';
import type { EditableModel, LoadedModel } from '../providers/loaded-model.js';
import { withSession } from '../providers/with-session.js';
import { batchArrays } from './batches.js';
import { type GraphOptimizer, graphOptimizer } from './graph-optimizers.js';
import { probeModel } from './probe.js';
import { type TargetRows, targetRows } from './targets.js';
import { trainableWeights } from './trainable.js';
import {
  type LabelledSamples,
  MIN_BATCH_NORM_SAMPLES,
  type ProviderTrainerOptions,
  type ResolvedSettings,
} from './trainer-options.js';
import { type TrainingStep, trainingStep } from './training-step.js';

/** Remark on a training, for people; the code is for programs. */
export interface TrainerRemark {
  readonly code: string;
  readonly text: string;
}

/** Samples and targets that fit the model. */
export interface CheckedSamples {
  readonly samples: Samples;
  readonly rows: TargetRows;
}

export interface TrainingPlan {
  readonly model: EditableModel;
  readonly step: TrainingStep;
  readonly optimizer: GraphOptimizer;
  /** The output that the loss is computed from. */
  readonly output: string;
  /** Names of the weights that are trained. */
  readonly trained: readonly string[];
  readonly data: CheckedSamples;
  readonly batch: number;
  /** Shape of the output for one sample. */
  readonly outputDims: readonly number[];
  /** Initial values of weights and running statistics. */
  readonly initial: ReadonlyMap<string, Float32Array>;
  readonly remarks: readonly TrainerRemark[];
  /** Checks further samples. Throws `bad-data`. */
  check(labelled: LabelledSamples): CheckedSamples;
}

const DEFAULT_BATCH_SAMPLES = 64;

/** Prepares a training. Throws `bad-data` and `bad-usage` for data and settings that do not fit the model, `run-failed`. */
export async function planTraining(
  model: LoadedModel,
  options: ProviderTrainerOptions,
  settings: ResolvedSettings,
): Promise<TrainingPlan> {
  const { document } = model;
  const index = indexGraphs(document);
  const inputs = sampledInputs(document);
  const samples = samplesOf(options, inputs);
  const batch = batchSize(document, settings.batch);
  if (batch > samples.count) {
    throw new OnnxMishError('bad-data', `a batch of ${batch} is larger than the ${samples.count} samples`, {
      fix: 'Give more samples, or a smaller batch',
    });
  }
  const weights = trainableWeights(document, index).filter(({ name }) => options.freeze?.(name) !== true);
  if (weights.length === 0) throw noWeights(document, '');
  const output = outputOf(document, settings.output);
  const feeds = batchArrays(samples, batch);
  await samples.read(
    Uint32Array.from({ length: batch }, (_, place) => place),
    feeds,
  );
  const probe = await probeModel(document, feeds, (exposed) =>
    model.withEdited(exposed, (copy) => withSession(copy, options, (session) => session.run(feeds))),
  );
  const hasNorms = document.graph.nodes.some(
    ({ opType, domain }) => opType === 'BatchNormalization' && domain === '',
  );
  const trainsNorms =
    settings.batchNorm === 'auto' ? batch >= MIN_BATCH_NORM_SAMPLES : settings.batchNorm === 'train';
  const optimizer = graphOptimizer(settings.optimizer);
  const step = trainingStep(document, index, probe, {
    ...{ weights, output, optimizer },
    loss: settings.loss,
    labelSmoothing: settings.labelSmoothing,
    batchNorm: trainsNorms ? 'train' : 'frozen',
    maxGradientNorm: settings.maxGradientNorm,
  });
  const ends = step.withoutGradient.map((node) => `${node.opType} ${nodeLabel(node)}`);
  if (step.unreached.length === weights.length) throw noWeights(document, ends.join(', '));
  const [rowsOfOutput, ...outputDims] = step.targets.dims;
  if (rowsOfOutput !== batch) {
    throw new OnnxMishError(
      'bad-data',
      `the output '${output}' has shape [${step.targets.dims}] for a batch of ${batch}`,
      { fix: 'Name an output whose first axis counts samples' },
    );
  }
  const check = (labelled: LabelledSamples): CheckedSamples => {
    const checked = labelled === options ? samples : samplesOf(labelled, inputs);
    if (checked.count === 0) throw new OnnxMishError('bad-data', 'there are no samples');
    return { samples: checked, rows: targetRows(labelled.targets, settings.loss, outputDims, checked.count) };
  };
  const initial = new Map<string, Float32Array>();
  for (const { input, weight } of step.state) {
    if (weight === undefined) continue;
    initial.set(input, Float32Array.from(await readWeight(document, weight, model.openData)));
  }
  const remarks = remarksOn(step, ends, { hasNorms, trainsNorms, batch, count: samples.count });
  const trained = weights.map(({ name }) => name).filter((name) => initial.has(name));
  const shapes = { batch, outputDims };
  return {
    model,
    step,
    optimizer,
    output,
    trained,
    data: check(options),
    ...shapes,
    initial,
    remarks,
    check,
  };
}

/** Returns the model's inputs as samples must fit them. */
function sampledInputs({ graph }: OnnxDocument): SampledInput[] {
  return graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map(({ name, elemType, dims }) => ({
      name,
      elemType: typeName(elemType),
      inner: dims?.slice(1).map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : null)),
    }));
}

function samplesOf({ inputs }: LabelledSamples, sampled: readonly SampledInput[]): Samples {
  return isSamples(inputs) ? inputs : arraySamples(inputs, sampled);
}

/** Returns the batch size: the model's, or the one asked for. */
function batchSize({ graph }: OnnxDocument, wanted: number | undefined): number {
  const fixed = graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map(({ dims }) => dims?.[0])
    .find((dim) => typeof dim === 'number' && dim > 0);
  if (typeof fixed !== 'number') return wanted ?? DEFAULT_BATCH_SAMPLES;
  if (wanted === undefined || wanted === fixed) return fixed;
  throw new OnnxMishError('bad-usage', `the model takes batches of ${fixed}, not of ${wanted}`, {
    fix: 'Export the model with a free batch dimension, or leave out the batch size',
  });
}

function outputOf({ graph, source }: OnnxDocument, wanted: string | undefined): string {
  const names = graph.outputs.map(({ name }) => name);
  const name = wanted ?? names[0];
  if (name !== undefined && names.includes(name)) return name;
  throw new OnnxMishError('bad-usage', `the model has no output '${name ?? ''}'`, {
    where: source.name,
    fix: `Name one of its outputs: ${names.join(', ')}`,
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

interface Facts {
  readonly hasNorms: boolean;
  readonly trainsNorms: boolean;
  readonly batch: number;
  readonly count: number;
}

function remarksOn(
  step: TrainingStep,
  ends: readonly string[],
  { hasNorms, trainsNorms, batch, count }: Facts,
): TrainerRemark[] {
  const remarks: TrainerRemark[] = [];
  if (step.unreached.length > 0) {
    const names = step.unreached.map(({ name }) => `'${name}'`).join(', ');
    const text = `No gradient reaches ${names}${ends.length > 0 ? `, because gradients end at ${ends.join(', ')}` : ''}`;
    remarks.push({ code: 'gradient-ends', text });
  }
  if (hasNorms) {
    const text = trainsNorms
      ? 'Batch normalisation uses the statistics of the batch and moves the running statistics'
      : 'Batch normalisation uses the running statistics, which stay';
    remarks.push({ code: 'batch-norm', text });
  }
  const rest = count % batch;
  if (rest > 0) {
    const text = `Each epoch leaves out ${rest} of the ${count} samples, which do not fill a batch of ${batch}`;
    remarks.push({ code: 'partial-batch', text });
  }
  return remarks;
}
