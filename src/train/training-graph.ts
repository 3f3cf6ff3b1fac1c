// A model with loss, gradients and optimiser behind it.
import type { ComposedNode } from '../onnx/compose.js';
import { type Node, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { namesInside, neededNodes } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { usesBatchStatistics } from '../onnx/inference-edits.js';
import type { Spliced } from '../onnx/splice.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { assemble } from './assemble.js';
import { alive, differentiate, movingTensors, nodesWithoutGradient } from './autodiff/differentiate.js';
import { scaled } from './autodiff/rule.js';
import { createTape, type Tape } from './autodiff/tape.js';
import { sampleNorms, staysFrozen } from './batch-norms.js';
import { clipGradients, type GraphOptimizer } from './graph-optimizers.js';
import type { Loss } from './losses.js';
import { nameResults } from './name-results.js';
import type { Probe } from './probe.js';
import { type Rewritten, rewriteForward } from './rewrite/rewrite.js';
import { widenScalars } from './widen-scalars.js';

/** A loss of some tensors of a model. */
export interface GraphLoss {
  /** The tensors that the loss reads. */
  readonly reads: readonly string[];
  /** Inputs of the loss, such as targets. */
  readonly inputs: readonly (readonly [name: string, dims: readonly number[]])[];
  /** Adds the loss. `names` has the tensors in the order of `reads`. */
  add(tape: Tape, names: readonly string[]): Loss;
}

export interface GraphOptions {
  /** The weights to train. Weights that no gradient reaches stay unchanged. */
  readonly weights: readonly Weight[];
  readonly optimizer: GraphOptimizer;
  /** `train` uses the statistics of the batch, `frozen` (the default) the running statistics. */
  readonly batchNorm?: 'frozen' | 'train' | undefined;
  /** Returns whether a running statistic stays, by its name. Its normalisation then uses it; default: none does. */
  readonly freeze?: ((name: string) => boolean) | undefined;
  /** Elements of a block of channels in ONNX Runtime's blocked layout, from `findBlock`; the plain layout by default. */
  readonly block?: number | undefined;
  /** Whether the gradients use no convolutions with groups, which WebGPU computes wrongly; false by default. */
  readonly avoidsGroups?: boolean | undefined;
  /** Maximum norm of all gradients together; unlimited by default. */
  readonly maxGradientNorm?: number | undefined;
  /** Factor of the learning rate of each weight, by name; 1 by default. */
  readonly scales?: ReadonlyMap<string, number> | undefined;
}

/** A tensor that a step takes as an input and returns updated. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  /** The weight; undefined for a state of the optimiser, which starts as zeros. */
  readonly weight?: Weight | undefined;
}

/** A model that performs a training step per run: forward pass, loss, backward pass and optimiser. */
export interface TrainingGraph {
  readonly model: Spliced;
  /** Names of the inputs for the optimiser's scalars, in the order of `GraphOptimizer.scalars`. */
  readonly scalars: readonly string[];
  readonly state: readonly StateTensor[];
  /** Names of the outputs with the loss, with the number of correct predictions, and with the number of those that count. */
  readonly loss: string;
  /** Undefined for a loss without predictions. */
  readonly correct: string | undefined;
  /** Undefined where all predictions count. */
  readonly counted: string | undefined;
  /** Weights that no gradient reaches, and the nodes where gradients end: those whose operator has no rule or whose rule does not apply. */
  readonly unreached: readonly Weight[];
  readonly withoutGradient: readonly Node[];
}

/** Prefix of all names that training adds to a model. */
export const TRAIN_PREFIX = 'onnx-mish/train/';
const [LOSS, CORRECT, COUNTED] = [`${TRAIN_PREFIX}loss`, `${TRAIN_PREFIX}correct`, `${TRAIN_PREFIX}counted`];
/** State of a step of several runs: the number of predictions that counted so far. */
const COUNTED_BEFORE = `${TRAIN_PREFIX}counted-before`;
const scalarName = (name: string) => `${TRAIN_PREFIX}scalar/${name}`;
const nextName = (name: string) => `${TRAIN_PREFIX}next/${name}`;
const stateName = (state: string, weight: string) => `${TRAIN_PREFIX}${state}/${weight}`;

/**
 * Writes a copy of a model as a training step. Every batch must have the shapes of the probe's run. No gradient flows
 * through nested graphs or operators that GRADIENTS does not list.
 */
export function trainingGraph(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  loss: GraphLoss,
  options: GraphOptions,
): TrainingGraph {
  const used = neededNodes(document, loss.reads);
  const nodes = document.graph.nodes.filter((node) => used.has(node));
  const norms = options.batchNorm === 'train' ? trainableNorms(document, index, nodes, options) : NO_NORMS;
  const weights = options.weights.map(({ name }) => name);
  const varying = movingTensors(nodes, weights, probe.isFloat);
  // The probe ran once. The values of tensors that depend on a weight change with each step.
  const constant = (name: string) => (varying.has(name) ? undefined : probe.constant(name));
  const given = createTape(opsetOf(document.graph), probe.dims, TRAIN_PREFIX, constant);
  const rewritten = rewriteForward(given, nodes, {
    block: options.block,
    outputs: loss.reads,
    moving: varying,
    trainedNorms: new Set([
      ...norms.keys(),
      ...nodes.filter((node) => normalisesWeights(node, document, index)),
    ]),
  });
  const tape = createTape(given.opset, rewritten.dims, TRAIN_PREFIX, constant, options.avoidsGroups);
  const found = loss.add(tape, rewritten.outputs);
  const moving = movingTensors(rewritten.nodes, weights, probe.isFloat, rewritten.rules);
  const ends: Node[] = [];
  const gradients = differentiate(tape, rewritten.nodes, moving, found.gradients, rewritten.rules, (node) =>
    ends.push(node),
  );
  const reached = options.weights.filter(({ name }) => gradients.has(name));
  const { state, results } = optimizerNodes(tape, reached, gradients, found.counted, options);
  const running = nextStatistics(norms, rewritten.statistics);
  const all = [...state, ...running.state];
  const named: [string, string][] = [[found.loss, LOSS], ...results, ...running.results];
  if (found.correct !== undefined) named.push([found.correct, CORRECT]);
  if (found.counted !== undefined) named.push([found.counted, COUNTED]);
  const { scalars } = options.optimizer;
  const shapes = new Map<string, readonly number[]>();
  for (const [name, gradient] of gradients) shapes.set(gradient, rewritten.dims(name));
  for (const { input, dims } of state) shapes.set(input, dims);
  for (const name of scalars) shapes.set(scalarName(name), []);
  const needed = alive(
    tape.nodes,
    named.map(([from]) => from),
  );
  const kept = widenScalars(needed, (name) => shapes.get(name) ?? shapeOf(name, rewritten));
  const model = assemble(document, index, loss.reads, {
    replaced: rewritten.replaced,
    appended: [...rewritten.rest, ...nameResults(kept, named)],
    weights: all.flatMap(({ weight }) => weight ?? []),
    inputs: [
      ...all.filter(({ weight }) => weight === undefined).map(({ input, dims }) => [input, dims] as const),
      ...loss.inputs,
      ...scalars.map((name) => [scalarName(name), []] as const),
    ],
    outputs: named.map(([, to]) => to),
  });
  return {
    model,
    state: all,
    loss: LOSS,
    scalars: scalars.map(scalarName),
    correct: found.correct && CORRECT,
    counted: found.counted && COUNTED,
    unreached: options.weights.filter(({ name }) => !gradients.has(name)),
    withoutGradient: [...nodesWithoutGradient(rewritten.nodes, moving, namesInside(document)), ...ends],
  };
}

/** Writes a copy of a model that computes only the loss, with weights as inputs. The model's nodes stay as they are. */
export function lossGraph(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  loss: GraphLoss,
  weights: readonly Weight[],
): Pick<TrainingGraph, 'model' | 'loss'> {
  const tape = createTape(opsetOf(document.graph), probe.dims, TRAIN_PREFIX, probe.constant);
  const found = loss.add(tape, loss.reads);
  const kept = alive(tape.nodes, [found.loss]);
  const appended: ComposedNode[] = [...kept, ['Identity', [found.loss], [LOSS]]];
  const parts = { appended, weights, inputs: loss.inputs, outputs: [LOSS] };
  return { model: assemble(document, index, loss.reads, parts), loss: LOSS };
}

/** Returns the shape of a tensor of the forward pass. Those that are not known have no axes, as scalars. */
function shapeOf(name: string, { dims }: Pick<Rewritten, 'dims'>): readonly number[] | undefined {
  const shape = dims(name);
  return shape.length === 0 ? undefined : shape;
}

/** State tensors, and the tensor behind each output of the step. */
interface Results {
  readonly state: readonly StateTensor[];
  readonly results: readonly [from: string, output: string][];
}

/** Adds gradient clipping and the optimiser's step for every weight to a tape. */
function optimizerNodes(
  tape: Tape,
  weights: readonly Weight[],
  gradients: ReadonlyMap<string, string>,
  counted: string | undefined,
  { optimizer, maxGradientNorm, scales }: GraphOptions,
): Results {
  const scalars = optimizer.scalars.map(scalarName);
  const shares =
    counted === undefined ? undefined : optimizer.shares?.(tape, counted, COUNTED_BEFORE, scalars);
  const statesOf = (name: string) => optimizer.states.map((kind) => stateName(kind, name));
  const totals = weights.map(({ name }) => {
    const gradient = gradients.get(name) ?? '';
    return optimizer.accumulate?.(tape, gradient, statesOf(name), scalars, shares) ?? gradient;
  });
  const clipped = maxGradientNorm === undefined ? totals : clipGradients(tape, totals, maxGradientNorm);
  const state: StateTensor[] = [];
  const results: [string, string][] = [];
  if (shares !== undefined) {
    const [input, output] = [COUNTED_BEFORE, nextName(COUNTED_BEFORE)];
    state.push({ input, output, dims: [1], weight: undefined });
    results.push([shares.counted, output]);
  }
  for (const [place, weight] of weights.entries()) {
    const { name } = weight;
    const { dims } = weight.tensor;
    const before = statesOf(name);
    // An optimiser's first scalar is proportional to the learning rate.
    const [rate = '', ...others] = scalars;
    const mine = [scaled(tape, rate, scales?.get(name) ?? 1), ...others];
    const { value, states } = optimizer.update(tape, name, clipped[place] ?? '', before, mine);
    const names = [name, ...before];
    const sum = optimizer.accumulate === undefined ? [] : [totals[place] ?? ''];
    for (const [slot, result] of [value, ...states, ...sum].entries()) {
      const input = names[slot] ?? '';
      state.push({ input, output: nextName(input), dims, weight: slot === 0 ? weight : undefined });
      results.push([result, nextName(input)]);
    }
  }
  return { state, results };
}

/** Returns whether a batch normalisation is still in training mode in the copy: one of a weight, whose statistics nothing reads. */
const normalisesWeights = (node: Node, { graph }: OnnxDocument, index: GraphIndex): boolean =>
  usesBatchStatistics(node) && node.outputs.slice(1).every((name) => index.uses(graph, name).length === 0);

/** The running mean and variance of each batch normalisation in training mode. */
type Norms = ReadonlyMap<Node, readonly [mean: Weight, variance: Weight]>;

const NO_NORMS: Norms = new Map();

/** Finds every BatchNormalization with running statistics in the model; see `checkRunningStatistics` for those that cannot move. */
function trainableNorms(
  { graph }: OnnxDocument,
  index: GraphIndex,
  nodes: readonly Node[],
  { freeze }: Pick<GraphOptions, 'freeze'>,
): Norms {
  const norms = new Map<Node, readonly [Weight, Weight]>();
  const used = new Set(nodes);
  for (const node of sampleNorms(graph)) {
    if (!used.has(node)) continue;
    const [mean, variance] = node.inputs.slice(3, 5).map((name) => weightOf(index, graph, name));
    if (mean === undefined || variance === undefined) continue;
    if (staysFrozen(node, freeze)) continue;
    const areStored = [mean, variance].every(({ home, type }) => home === graph && type === 'f32');
    if (areStored) norms.set(node, [mean, variance]);
  }
  return norms;
}

/** Returns the running statistics as a part of the state. Of several calls of a layer, the last has those after the step. */
function nextStatistics(norms: Norms, statistics: Rewritten['statistics']): Results {
  const last = new Map<Weight['name'], readonly [from: string, weight: Weight]>();
  for (const [node, [mean, variance]] of norms) {
    const next = statistics.get(node);
    if (next === undefined) continue;
    last.set(mean.name, [next.mean, mean]).set(variance.name, [next.variance, variance]);
  }
  const entries = [...last].map(([name, [from, weight]]) => ({ name, from, weight }));
  return {
    state: entries.map(({ name, weight }) => {
      return { input: name, output: nextName(name), dims: weight.tensor.dims, weight };
    }),
    results: entries.map(({ name, from }) => [from, nextName(name)]),
  };
}
