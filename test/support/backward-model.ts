import { composedNode } from '../../src/onnx/composed-node.js';
import { type OnnxDocument, opsetOf } from '../../src/onnx/document.js';
import { neededNodes } from '../../src/onnx/extract.js';
import type { GraphIndex } from '../../src/onnx/graph-index.js';
import type { Spliced } from '../../src/onnx/splice.js';
import type { Weight } from '../../src/onnx/weights.js';
import { assemble } from '../../src/train/assemble.js';
import { alive, differentiate, movingTensors } from '../../src/train/autodiff/differentiate.js';
import { createTape } from '../../src/train/autodiff/tape.js';
import { type LossTerm, squaredDifferences } from '../../src/train/losses.js';
import type { Probe } from '../../src/train/probe.js';
import { withStates } from '../../src/train/rewrite/kept-nodes.js';

/** A model that computes the loss of a batch and the gradients of the weights. */
export interface Backward {
  readonly model: Spliced;
  /** Name of each weight's gradient output, by the weight's name. Weights that no gradient reaches are absent. */
  readonly gradients: ReadonlyMap<string, string>;
  readonly loss: string;
  /** Returns the input name for the target of a loss term. */
  readonly target: (term: string) => string;
}

const PREFIX = 'onnx-mish/backward/';
const LOSS = 'onnx-mish/loss';
const target = (name: string) => `onnx-mish/target/${name}`;

/**
 * Copies a model, turns its weights into inputs and appends the backward pass (reverse-mode differentiation). Every batch must
 * have the shapes of the probe's run. No gradient flows through nested graphs or operators that GRADIENTS does not list.
 */
export function backwardModel(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
  terms: readonly LossTerm[],
  probe: Probe,
): Backward {
  const { graph } = document;
  const names = terms.map(({ name }) => name);
  const used = neededNodes(document, names);
  const given = graph.nodes.filter((node) => used.has(node));
  const nodes = given.map(withStates);
  const replaced = new Map(
    given.flatMap((node, at) => {
      const composed = nodes[at] === node ? undefined : composedNode(nodes[at] ?? node);
      return composed === undefined ? [] : [[node, [composed]] as const];
    }),
  );
  const moving = movingTensors(
    nodes,
    weights.map(({ name }) => name),
    probe.isFloat,
  );
  const tape = createTape(opsetOf(graph), probe.dims, PREFIX, probe.constant);
  const loss = squaredDifferences(tape, terms, target);
  const found = differentiate(tape, nodes, moving, loss.gradients);
  const gradients = new Map<string, string>();
  for (const { name } of weights) {
    const gradient = found.get(name);
    if (gradient !== undefined) gradients.set(name, gradient);
  }
  const kept = alive(tape.nodes, [loss.loss, ...gradients.values()]);
  kept.push(['Identity', [loss.loss], [LOSS]]);
  const model = assemble(document, index, names, {
    replaced,
    appended: kept,
    weights: weights.filter(({ name }) => gradients.has(name)),
    inputs: terms.map(({ name }) => [target(name), probe.dims(name)]),
    outputs: [LOSS, ...gradients.values()],
  });
  return { model, gradients, loss: LOSS, target };
}
