import { type ComposedNode, composedField, floatInputField } from '../../onnx/compose.js';
import { type Node, type OnnxDocument, opsetOf } from '../../onnx/document.js';
import { messageField, outputField } from '../../onnx/encode.js';
import { neededNodes, pruneEdits } from '../../onnx/extract.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { type Edit, replacing, type Spliced, splice } from '../../onnx/splice.js';
import type { Weight } from '../../onnx/weights.js';
import { type Loss, type LossTerm, squaredDifferences } from '../losses.js';
import { GRADIENTS } from './gradients.js';
import { createTape, type Tape } from './tape.js';

/** A model that gives the loss of a batch and the gradients of its weights. */
export interface Backward {
  readonly model: Spliced;
  /** The output that is the gradient of each weight, by the weight's name; none for those that no gradient reaches. */
  readonly gradients: ReadonlyMap<string, string>;
  readonly loss: string;
  /** The input that takes the target of a loss term. */
  readonly target: (term: string) => string;
}

const PREFIX = 'onnx-mish/backward/';
const LOSS = 'onnx-mish/loss';
const target = (name: string) => `onnx-mish/target/${name}`;

// Fields of TensorProto; the schema is proto/onnx.proto3.
const TENSOR_NAME = 8;

/**
 * A copy of a model with the backward half appended (reverse-mode differentiation, one node at a time), in which weights
 * are inputs. `dims` gives the shapes of a batch; every batch has to have them. No gradient flows through operators that
 * GRADIENTS does not list, through nested graphs, or through more than the first output of a node.
 */
export function backwardModel(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
  terms: readonly LossTerm[],
  dims: (name: string) => readonly number[],
): Backward {
  const { graph } = document;
  const names = terms.map(({ name }) => name);
  const used = neededNodes(document, names);
  const nodes = graph.nodes.filter((node) => used.has(node));
  const moving = movingTensors(nodes, weights);
  const tape = createTape(opsetOf(graph), dims, PREFIX);
  const loss = squaredDifferences(tape, terms, target);
  const found = differentiate(tape, nodes, moving, loss);
  const gradients = new Map<string, string>();
  for (const { name } of weights) {
    const gradient = found.get(name);
    if (gradient !== undefined) gradients.set(name, gradient);
  }
  const kept = alive(tape.nodes, [loss.loss, ...gradients.values()]);
  kept.push(['Identity', [loss.loss], [LOSS]]);
  const frame = graph.nodes[0]?.frame;
  if (frame === undefined) throw new Error('a graph without nodes has no weights');
  const append = (bytes: Uint8Array): Edit => ({ start: frame.end, end: frame.end, bytes, frame });
  const prune = pruneEdits(document, names);
  const gone = new Set(prune.map(({ start }) => start));
  const inputs = weights.filter(({ name }) => gradients.has(name));
  const edits = [
    ...prune,
    ...inputs.flatMap((weight) => asInput(weight, document, index, gone, append)),
    ...terms.map(({ name }) => append(floatInputField(target(name), dims(name)))),
    ...kept.map((node) => append(composedField(node))),
    ...[LOSS, ...gradients.values()].map((name) => append(outputField(name))),
  ];
  return { model: splice(document.source, edits), gradients, loss: LOSS, target };
}

/** What the weights have a say in, as far as gradients are known. */
function movingTensors(nodes: readonly Node[], weights: readonly Weight[]): ReadonlySet<string> {
  const moving = new Set(weights.map(({ name }) => name));
  for (const { domain, opType, inputs, outputs } of nodes) {
    if (domain !== '' || !Object.hasOwn(GRADIENTS, opType)) continue;
    if (inputs.some((name) => moving.has(name)) && outputs[0] !== undefined) moving.add(outputs[0]);
  }
  return moving;
}

/** Adds the gradient of the loss with respect to every moving tensor, and names each. */
function differentiate(
  tape: Tape,
  nodes: readonly Node[],
  moving: ReadonlySet<string>,
  { gradients }: Loss,
): ReadonlyMap<string, string> {
  const parts = new Map<string, string[]>();
  const add = (name: string, gradient: string | undefined) => {
    if (gradient === undefined || !moving.has(name)) return;
    const others = parts.get(name);
    if (others === undefined) parts.set(name, [gradient]);
    else others.push(gradient);
  };
  for (const [name, gradient] of gradients) add(name, gradient);
  for (const node of nodes.toReversed()) {
    const y = node.outputs[0] ?? '';
    const sum = parts.get(y);
    const rule = Object.hasOwn(GRADIENTS, node.opType) ? GRADIENTS[node.opType] : undefined;
    if (sum === undefined || !moving.has(y) || rule === undefined) continue;
    const inputs = rule(tape, node, tape.total(sum));
    for (const [slot, name] of node.inputs.entries()) add(name, inputs[slot]);
  }
  return new Map([...parts].map(([name, sum]) => [name, tape.total(sum)]));
}

/** The nodes that the outputs depend on. */
function alive(nodes: readonly ComposedNode[], outputs: readonly string[]): ComposedNode[] {
  const needed = new Set(outputs);
  const kept: ComposedNode[] = [];
  for (const node of nodes.toReversed()) {
    const [, inputs, made] = node;
    if (!made.some((name) => needed.has(name))) continue;
    for (const name of inputs) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

/** The edits that make an input of a weight. */
function asInput(
  { name, home, tensor }: Weight,
  { graph, irVersion }: OnnxDocument,
  index: GraphIndex,
  gone: ReadonlySet<number>,
  append: (bytes: Uint8Array) => Edit,
): Edit[] {
  const edits: Edit[] = [];
  if (!graph.inputs.some((input) => input.name === name))
    edits.push(append(floatInputField(name, tensor.dims)));
  const constant = index.producer(home, name);
  if (constant !== undefined) {
    // Unless it has been taken out already.
    if (gone.has(constant.span.start)) return edits;
    return [...edits, replacing(constant, new Uint8Array(0))];
  }
  const { frame } = tensor;
  if (frame === undefined) return edits;
  const unused = `onnx-mish/unused/${name}`;
  // Before IR 4 every initializer is an input as well.
  if (irVersion < 4) edits.push(append(floatInputField(unused, tensor.dims)));
  // Of a field that comes twice the last one counts: the initializer has another name, and nobody reads it.
  const renamed = messageField(TENSOR_NAME, new TextEncoder().encode(unused));
  return [...edits, { start: frame.end, end: frame.end, bytes: renamed, frame }];
}
