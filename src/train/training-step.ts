import type { ComposedNode } from '../onnx/compose.js';
import { type Node, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { namesInside, neededNodes } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Spliced } from '../onnx/splice.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { assemble } from './assemble.js';
import { alive, differentiate, movingTensors, nodesWithoutGradient } from './autodiff/differentiate.js';
import { createTape, type Tape } from './autodiff/tape.js';
import { finalActivation } from './final-activation.js';
import { clipGradients, type GraphOptimizer } from './graph-optimizers.js';
import { binaryCrossEntropy, crossEntropy, type Loss, type LossName, meanSquaredError } from './losses.js';
import type { Probe } from './probe.js';
import { type Rewritten, rewriteForward } from './rewrite/rewrite.js';

export interface StepOptions {
  /** The weights to train. Weights that no gradient reaches stay unchanged. */
  readonly weights: readonly Weight[];
  /** The output that the loss is computed from. */
  readonly output: string;
  readonly loss: LossName;
  readonly labelSmoothing?: number | undefined;
  readonly optimizer: GraphOptimizer;
  /** `train` uses the statistics of the batch, `frozen` (the default) the running statistics. */
  readonly batchNorm?: 'frozen' | 'train' | undefined;
  /** Elements of a block of channels in ONNX Runtime's blocked layout, from `findBlock`; the plain layout by default. */
  readonly block?: number | undefined;
  /** Whether the gradients use no convolutions with groups, which WebGPU computes wrongly; false by default. */
  readonly avoidsGroups?: boolean | undefined;
  /** Maximum norm of all gradients together; unlimited by default. */
  readonly maxGradientNorm?: number | undefined;
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
export interface TrainingStep {
  readonly model: Spliced;
  /** Name of the targets' input, and their shape, which equals the output's shape. */
  readonly targets: { readonly name: string; readonly dims: readonly number[] };
  /** The tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
  readonly scores: string;
  /** Names of the inputs for the optimiser's scalars, in the order of `GraphOptimizer.scalars`. */
  readonly scalars: readonly string[];
  readonly state: readonly StateTensor[];
  /** Names of the outputs with the loss and with the number of correct predictions, if the loss has predictions. */
  readonly loss: string;
  readonly correct: string | undefined;
  /** Weights that no gradient reaches, and the nodes without a gradient rule, where gradients end. */
  readonly unreached: readonly Weight[];
  readonly withoutGradient: readonly Node[];
}

const PREFIX = 'onnx-mish/train/';
const [TARGETS, LOSS, CORRECT] = [`${PREFIX}targets`, `${PREFIX}loss`, `${PREFIX}correct`];
const scalarName = (name: string) => `${PREFIX}scalar/${name}`;
const nextName = (name: string) => `${PREFIX}next/${name}`;
const stateName = (state: string, weight: string) => `${PREFIX}${state}/${weight}`;

/**
 * Writes a copy of a model as a training step. Every batch must have the shapes of the probe's run. No gradient flows
 * through nested graphs or operators that GRADIENTS does not list.
 */
export function trainingStep(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  options: StepOptions,
): TrainingStep {
  const { graph } = document;
  const scores = scoresOf(document, index, options);
  const used = neededNodes(document, [scores]);
  const nodes = graph.nodes.filter((node) => used.has(node));
  const given = createTape(opsetOf(graph), probe.dims, PREFIX, probe.constant);
  const norms = options.batchNorm === 'train' ? trainableNorms(document, index, nodes) : NO_NORMS;
  const rewritten = rewriteForward(given, nodes, {
    ...{ block: options.block, trainedNorms: new Set(norms.keys()), outputs: [scores] },
  });
  const tape = createTape(given.opset, rewritten.dims, PREFIX, probe.constant, options.avoidsGroups);
  const loss = lossOf(tape, rewritten.outputs[0] ?? scores, options);
  const moving = movingTensors(
    rewritten.nodes,
    options.weights.map(({ name }) => name),
    rewritten.rules,
  );
  const gradients = differentiate(tape, rewritten.nodes, moving, loss.gradients, rewritten.rules);
  const reached = options.weights.filter(({ name }) => gradients.has(name));
  const { state, results } = optimizerNodes(tape, reached, gradients, options);
  const running = nextStatistics(norms, rewritten.statistics);
  const all = [...state, ...running.state];
  const named: [string, string][] = [[loss.loss, LOSS], ...results, ...running.results];
  if (loss.correct !== undefined) named.push([loss.correct, CORRECT]);
  const kept = alive(
    tape.nodes,
    named.map(([from]) => from),
  );
  const { scalars } = options.optimizer;
  const model = assemble(document, index, [scores], {
    replaced: rewritten.replaced,
    appended: [
      ...rewritten.rest,
      ...kept,
      ...named.map(([from, to]): ComposedNode => ['Identity', [from], [to]]),
    ],
    weights: all.flatMap(({ weight }) => weight ?? []),
    inputs: [
      ...all.filter(({ weight }) => weight === undefined).map(({ input, dims }) => [input, dims] as const),
      [TARGETS, probe.dims(scores)] as const,
      ...scalars.map((name) => [scalarName(name), []] as const),
    ],
    outputs: named.map(([, to]) => to),
  });
  return {
    ...{ model, scores, state: all, loss: LOSS },
    targets: { name: TARGETS, dims: probe.dims(scores) },
    scalars: scalars.map(scalarName),
    correct: loss.correct && CORRECT,
    unreached: options.weights.filter(({ name }) => !gradients.has(name)),
    withoutGradient: nodesWithoutGradient(rewritten.nodes, moving, namesInside(document)),
  };
}

/** Returns the tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
export function scoresOf(
  document: OnnxDocument,
  index: GraphIndex,
  { output, loss }: Pick<StepOptions, 'output' | 'loss'>,
): string {
  return finalActivation(document, index, output, loss)?.inputs[0] ?? output;
}

function lossOf(tape: Tape, scores: string, { loss, labelSmoothing }: StepOptions): Loss {
  if (loss === 'cross-entropy') return crossEntropy(tape, scores, TARGETS, labelSmoothing);
  return loss === 'bce' ? binaryCrossEntropy(tape, scores, TARGETS) : meanSquaredError(tape, scores, TARGETS);
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
  { optimizer, maxGradientNorm }: StepOptions,
): Results {
  const plain = weights.map(({ name }) => gradients.get(name) ?? '');
  const clipped = maxGradientNorm === undefined ? plain : clipGradients(tape, plain, maxGradientNorm);
  const scalars = optimizer.scalars.map(scalarName);
  const state: StateTensor[] = [];
  const results: [string, string][] = [];
  for (const [place, weight] of weights.entries()) {
    const { name } = weight;
    const { dims } = weight.tensor;
    const before = optimizer.states.map((kind) => stateName(kind, name));
    const { value, states } = optimizer.update(tape, name, clipped[place] ?? '', before, scalars);
    const names = [name, ...before];
    for (const [slot, result] of [value, ...states].entries()) {
      const input = names[slot] ?? '';
      state.push({ input, output: nextName(input), dims, weight: slot === 0 ? weight : undefined });
      results.push([result, nextName(input)]);
    }
  }
  return { state, results };
}

/** The running mean and variance of each batch normalisation in training mode. */
type Norms = ReadonlyMap<Node, readonly [mean: Weight, variance: Weight]>;

const NO_NORMS: Norms = new Map();

/** Finds every BatchNormalization with unshared running statistics. */
function trainableNorms({ graph }: OnnxDocument, index: GraphIndex, nodes: readonly Node[]): Norms {
  const norms = new Map<Node, readonly [Weight, Weight]>();
  const taken = new Set<string>();
  for (const node of nodes) {
    if (node.opType !== 'BatchNormalization' || node.domain !== '') continue;
    const [mean, variance] = node.inputs.slice(3, 5).map((name) => weightOf(index, graph, name));
    if (mean === undefined || variance === undefined) continue;
    const usable = [mean, variance].every(
      ({ home, type, name }) => home === graph && type === 'f32' && !taken.has(name),
    );
    if (!usable) continue;
    norms.set(node, [mean, variance]);
    taken.add(mean.name).add(variance.name);
  }
  return norms;
}

/** Returns the running statistics as a part of the state. */
function nextStatistics(norms: Norms, statistics: Rewritten['statistics']): Results {
  const state: StateTensor[] = [];
  const results: [string, string][] = [];
  for (const [node, weights] of norms) {
    const next = statistics.get(node);
    if (next === undefined) continue;
    for (const [slot, from] of [next.mean, next.variance].entries()) {
      const weight = weights[slot];
      if (weight === undefined) continue;
      const { name } = weight;
      state.push({ input: name, output: nextName(name), dims: weight.tensor.dims, weight });
      results.push([from, nextName(name)]);
    }
  }
  return { state, results };
}
