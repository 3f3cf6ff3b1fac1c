// Deals with what exported models lack for training.

import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { opsetObstacle, raiseOpset } from '../mish/raise-opset.js';
import { type Node, nodeLabel, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { exportedParameters } from '../onnx/exported-parameters.js';
import { type GraphIndex, indexGraphs } from '../onnx/graph-index.js';
import { inferenceEdits } from '../onnx/inference-edits.js';
import { numberUses } from '../onnx/number-uses.js';
import { type Edit, splice } from '../onnx/splice.js';
import { type Weight, weightEdit, weightOf } from '../onnx/weights.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Tensors } from '../providers/tensor.js';
import { lacksNormalisation } from './batch-norms.js';
import { fixedBatch, type RunOptions, runOf, withFreeBatch } from './batch-of-copy.js';
import { finalActivation, keptSigmoid, withoutReshapedActivation } from './final-activation.js';
import { withLogProbabilities } from './log-probabilities.js';
import type { LossName } from './losses.js';
import { neutralConstants } from './neutral-constants.js';
import { withShapeBranches } from './shape-branches.js';
import { trainableWeights } from './trainable.js';
import { type ConstantOrigin, trainingCopy } from './training-copy.js';
import { listNames, listNodes, type TrainingRemark } from './training-remark.js';

export interface TrainingCopyOptions extends RunOptions {
  /** The output that the loss is computed from. */
  readonly output: string;
  readonly loss: LossName;
  /** A batch of samples, with float32 in place of other float types. */
  readonly feeds: Tensors;
}

/** A model that can be trained, and the way back to the original. */
export interface TrainableModel {
  /** The copy: float32, without functions. It is the original itself if nothing had to change. */
  readonly model: EditableModel;
  /** The output that the loss is computed from; that of the logarithms where the model gives probabilities without a Softmax. */
  readonly output: string;
  readonly index: GraphIndex;
  readonly original: EditableModel;
  /** The trainable weights of the copy. Each can be written into the original. */
  readonly weights: readonly Weight[];
  /** Names of the constants that are no weights, although they are where weights are. */
  readonly neutral: ReadonlySet<string>;
  readonly remarks: readonly TrainingRemark[];
  /** Number of samples of each run, if the copy takes batches of this size only. */
  readonly batch: number | undefined;
  /** Final activation that the loss includes, and that became an Identity in the copy, because nodes behind it change the shape. */
  readonly omitted: Node | undefined;
  /**
   * Returns the edits that give the original's weights new values, by their names in the copy, and put nodes of training mode into
   * inference mode. Names and element types stay. Running statistics are weights here, too. Throws `run-failed` for a value that
   * the original's type cannot hold.
   */
  edits(values: ReadonlyMap<string, ArrayLike<number>>): Promise<Edit[]>;
}

/** First opset with all operators of the gradient graphs, and the opset to raise older models to. */
const [MIN_OPSET, WANTED_OPSET] = [9, 13];

/**
 * Copies a model for training. The copy computes the same function: other float types become float32, functions and branches that constants or
 * shapes choose are inlined, nodes in training mode use inference mode, opsets below 9 are raised, and a fixed batch dimension is freed where
 * a run on `feeds` confirms equal outputs. Throws `bad-usage` for a quantised model, an opset that cannot be raised or a model
 * without trainable weights.
 */
export async function prepareTraining(
  original: EditableModel,
  options: TrainingCopyOptions,
): Promise<TrainableModel> {
  refuseQuantized(original.document);
  const rewritten = await trainingCopy(original);
  const remarks = [...rewritten.remarks];
  const raised = await withRaisedOpset(rewritten.model, remarks);
  const { model: batched, batch } = await withBatch(raised, options, remarks);
  const feeds = batch === undefined ? options.feeds : runOf(options.feeds, batch);
  const { model: branched, ...shaped } = await withShapeBranches(batched, original, feeds, options);
  remarks.push(...shaped.remarks);
  const { model: scoring, omitted } = await withoutReshapedActivation(branched, options);
  const before = indexGraphs(scoring.document);
  const last = omitted ?? finalActivation(scoring.document, before, options);
  const { model, output } = await withScores(scoring, last, { ...options, feeds }, remarks);
  const { document } = model;
  const index = model === scoring ? before : indexGraphs(document);
  const originOf = originsIn(original.document, new Map([...rewritten.origins, ...shaped.origins]));
  const { parameters, others } = await exportedParameters(original.document);
  const candidates = trainableWeights(document, index, parameters).filter(
    ({ name }) => originOf(name) !== undefined,
  );
  const doubtful = candidates.filter(({ name }) => !parameters.has(name));
  const neutral = new Set([...(await neutralConstants(document, index, doubtful)), ...others]);
  const weights = candidates.filter(({ name }) => !neutral.has(name));
  if (weights.length === 0)
    throw new OnnxMishError('bad-usage', 'the model has no weights that can be trained', {
      where: document.source.name,
      fix: 'Give a model with Conv, Gemm, MatMul or normalisation weights',
    });
  remarks.push(...sigmoidRemarks(keptSigmoid(document, index, options)));
  remarks.push(...structureRemarks(document, index, weights, last));
  return {
    model,
    output,
    index,
    original,
    weights,
    neutral,
    remarks,
    batch,
    omitted,
    edits: async (values) => {
      const edits = await inferenceEdits(original.document);
      for (const [name, numbers] of values) {
        const weight = originOf(name);
        if (weight === undefined) continue;
        refuseOverflow(weight, numbers);
        edits.push(await weightEdit(original.document, weight, numbers));
      }
      return edits;
    },
  };
}

/** Gives cross-entropy the logarithms of an output that has probabilities, unless `last` is a final activation that the loss includes. */
async function withScores(
  model: EditableModel,
  last: Node | undefined,
  options: TrainingCopyOptions,
  remarks: TrainingRemark[],
): Promise<Pick<TrainableModel, 'model' | 'output'>> {
  const { output, loss, feeds } = options;
  const found =
    loss === 'cross-entropy' && last === undefined
      ? await withLogProbabilities(model, output, feeds, options)
      : undefined;
  if (found === undefined) return { model, output };
  remarks.push({
    code: 'log-probabilities',
    text: `The output '${output}' gives probabilities without a final Softmax, and the loss takes their logarithms`,
  });
  return found;
}

/** Remark on a model behind whose convolutions no batch normalisation can be put. */
export const NO_CONVOLUTION = {
  code: 'no-convolution',
  text: 'No convolution has weights of its own and lacks a batch normalisation, so that none was put behind any',
} as const;

const QUANTIZED = /quant|^QLinear|^QGemm|^QAttention|Integer$|NBits|Bnb4/i;

/** Throws `bad-usage` for a quantised model. */
export function refuseQuantized({ scopes, source }: OnnxDocument): void {
  for (const { nodes } of scopes) {
    const node = nodes.find(({ opType }) => QUANTIZED.test(opType));
    if (node === undefined) continue;
    throw new OnnxMishError('bad-usage', `the model is quantised: ${node.opType} '${nodeLabel(node)}'`, {
      where: source.name,
      fix: 'Train the model before it is quantised',
    });
  }
}

/** Raises opsets below 9 as far as is exact. */
async function withRaisedOpset(model: EditableModel, remarks: TrainingRemark[]): Promise<EditableModel> {
  const { document } = model;
  const opset = opsetOf(document.graph);
  if (opset >= MIN_OPSET) return model;
  const to = Math.min(WANTED_OPSET, (opsetObstacle(document, WANTED_OPSET)?.opset ?? Infinity) - 1);
  // Throws an error that names the node, if 9 cannot be reached.
  return raiseOpset(document, Math.max(to, MIN_OPSET), (edits) => {
    remarks.push({ code: 'opset-raised', text: `The copy has opset ${to} instead of ${opset}` });
    return model.edited(splice(document.source, edits));
  });
}

async function withBatch(
  model: EditableModel,
  options: TrainingCopyOptions,
  remarks: TrainingRemark[],
): Promise<Pick<TrainableModel, 'model' | 'batch'>> {
  const batch = fixedBatch(model.document);
  const samples = Object.values(options.feeds)[0]?.dims[0] ?? 0;
  if (batch === undefined || batch === samples) return { model, batch };
  const freed = await withFreeBatch(model, batch, options.feeds, options);
  if (freed !== undefined) {
    remarks.push({
      code: 'batch-freed',
      text: `The copy takes any batch instead of ${batch}; a run confirmed equal outputs`,
    });
    return { model: freed, batch: undefined };
  }
  const runs = runsPerStep(batch, samples);
  const accumulation = runs > 1 ? `; a step averages the gradients of ${plural(runs, 'run')}` : '';
  remarks.push({ code: 'batch-fixed', text: `The model takes only batches of ${batch}${accumulation}` });
  return { model, batch };
}

/** Returns the number of runs whose gradients a step averages, for a model with a fixed batch. */
export function runsPerStep(batch: number | undefined, wanted: number): number {
  return batch === undefined ? 1 : Math.max(1, Math.round(wanted / batch));
}

/** Returns a lookup of the original's weights by their names in the copy. */
function originsIn(document: OnnxDocument, origins: ReadonlyMap<string, ConstantOrigin>) {
  const index = indexGraphs(document);
  return (name: string): Weight | undefined => {
    const origin = origins.get(name);
    if (origin !== undefined) return weightOf(index, origin.scope, origin.name);
    const weight = weightOf(index, document.graph, name);
    return weight?.home === document.graph ? weight : undefined;
  };
}

/** The smallest number that rounds to infinity in float16. */
const FIRST_INFINITE_HALF = 65_520;

function refuseOverflow({ name, type }: Weight, values: ArrayLike<number>): void {
  if (type !== 'f16') return;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (Math.abs(value) < FIRST_INFINITE_HALF) continue;
    throw new OnnxMishError(
      'run-failed',
      `the weight '${name}' reached ${value}, which float16 cannot hold`,
      {
        fix: 'Lower the learning rate, or train a float32 model',
      },
    );
  }
}

function sigmoidRemarks(sigmoid: Node | undefined): TrainingRemark[] {
  if (sigmoid === undefined) return [];
  const text = `Cross-entropy takes the results of the final Sigmoid '${nodeLabel(sigmoid)}' as scores, and stays far above 0; for a model of sigmoids, give one-hot targets and the loss bce`;
  return [{ code: 'sigmoid-kept', text }];
}

/** Describes what the training copy leaves out or cannot reach. */
function structureRemarks(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
  last: Node | undefined,
): TrainingRemark[] {
  const { graph } = document;
  const remarks: TrainingRemark[] = [];
  if (last !== undefined)
    remarks.push({
      code: 'activation-omitted',
      text: `The training copy omits the final ${last.opType} '${nodeLabel(last)}', which the loss includes`,
    });
  if (lacksNormalisation(document, index))
    remarks.push({
      code: 'no-batch-norm',
      text: 'The model has no batch normalisation; the exporter probably folded it into the weights',
    });
  const nested = graph.nodes.filter(({ attributes }) =>
    attributes.some(({ graphs }) => graphs !== undefined),
  );
  if (nested.length > 0)
    remarks.push({
      code: 'nested-graphs',
      text: `No gradient flows through ${listNodes(nested)}`,
    });
  const shared = weights.filter(({ name }) => numberUses(index, graph, name).length > 1);
  if (shared.length > 0)
    remarks.push({
      code: 'shared-weights',
      text: `The gradients of shared weights are summed: ${listNames(shared.map(({ name }) => name))}`,
    });
  return remarks;
}
