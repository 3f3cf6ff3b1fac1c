import { plural } from '../../base/plural.js';
import { constantTensor } from '../../mish/constants.js';
import { clipsNegatives, impliedActivation } from '../../mish/implied-relu.js';
import { floatAttribute } from '../../mish/node-writer.js';
import { isDequantizer, isQuantizer } from '../../mish/quantization.js';
import { MOVES } from '../../mish/use-moves.js';
import { analyse } from '../../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, opsetOf } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import {
  decodeModel,
  encodeModel,
  type GraphProto,
  graphsOf,
  identityNode,
  type NodeProto,
  type TensorProto,
} from '../../onnx/model-passes/model-proto.js';
import { scalarTensor } from '../../onnx/scalar.js';
import { type LoadedModel, modelFromBytes } from '../../providers/loaded-model.js';
import {
  dequantised,
  type QuantisedValue,
  quantisedValues,
  type StoredIntegers,
  storedIntegersOf,
} from './quantised-values.js';

/** A quantised model as floats. */
export interface FloatVersion {
  readonly model: LoadedModel;
  readonly quantised: readonly QuantisedValue[];
  /** DequantizeLinear nodes of stored numbers that stay as they are. */
  readonly left: readonly Node[];
  /** Returns the name of the float tensor that a QuantizeLinear node quantises. */
  readonly tensorOf: (value: QuantisedValue) => string;
}

/** First opset whose Clip reads its bounds as inputs. */
const CLIP_BY_INPUTS = 11;

/** Returns an activation in the place of a QuantizeLinear node that clips. Adds its bounds to tensors. */
function clipNode(
  { node: { name, inputs, outputs }, quantization, scope }: QuantisedValue,
  bound: number,
  added: TensorProto[],
): NodeProto {
  const node = { name, input: inputs.slice(0, 1), output: [...outputs] };
  if (bound === Number.POSITIVE_INFINITY) return { ...node, opType: 'Relu' };
  if (opsetOf(scope) < CLIP_BY_INPUTS) {
    return { ...node, opType: 'Clip', attribute: [floatAttribute('min', 0), floatAttribute('max', bound)] };
  }
  const tensors = [0, bound].map((number) => ({
    ...scalarTensor(number, quantization.type),
    name: `${outputs[0]}/bound_${number}`,
  }));
  added.push(...tensors);
  return { ...node, opType: 'Clip', input: [...node.input, ...tensors.map(({ name }) => name)] };
}

/** Returns whether a DequantizeLinear node reads stored integers, or stored floats that a QuantizeLinear node quantises. */
function readsConstant({ graph }: OnnxDocument, index: GraphIndex, { inputs: [input = ''] }: Node): boolean {
  const source = index.producer(graph, input);
  const name = isQuantizer(source) ? source.inputs[0] : input;
  return constantTensor(index, graph, name ?? '') !== undefined;
}

/** Returns stored integers as a tensor of floats. */
function weightTensor(name: string, stored: StoredIntegers): TensorProto {
  return { ...floatTensor(dequantised(stored), stored.type, stored.dims), name };
}

/**
 * Writes a model without the QuantizeLinear and DequantizeLinear nodes of its main graph: stored integers become float
 * weights, and a QuantizeLinear node that clips becomes the ReLU or Clip that it stands for. A site keeps the name of its
 * output. What the model computes differs by the roundings. Throws `external-data`, `malformed`.
 */
export async function floatVersion({ document, name: label }: LoadedModel): Promise<FloatVersion> {
  const analysis = analyse(document);
  const { index } = analysis;
  const proto = await decodeModel(document);
  const graph = proto.graph ?? {};
  const quantised = quantisedValues(document, index);
  /** The upper bounds of the activations that QuantizeLinear nodes compute. */
  const bounds = new Map(
    quantised.map(({ node, scope }) => {
      const relu = clipsNegatives(index, scope, node) ? Number.POSITIVE_INFINITY : undefined;
      return [node, impliedActivation(index, scope, node)?.bound ?? relu] as const;
    }),
  );
  const quantizers = new Map(quantised.map((value) => [value.node, value]));
  const dequantizers = new Set(quantised.flatMap((value) => [...value.dequantizers]));
  const stored = new Map<Node, StoredIntegers>();
  const left: Node[] = [];
  for (const node of document.graph.nodes) {
    if (!isDequantizer(node)) continue;
    const found = await storedIntegersOf(document, index, node);
    if (found !== undefined) stored.set(node, found);
    else if (readsConstant(document, index, node)) left.push(node);
  }
  const gone = new Set([...stored.values()].map(({ quantizer }) => quantizer));
  const renamed = new Map<string, string>();
  /** Outputs of the activations that stand for QuantizeLinear nodes, by bound and input. */
  const clipped = new Map<string, string>();
  const integers = new Set<string>();
  const nodes: NodeProto[] = [];
  const added: TensorProto[] = [];
  for (const [at, node] of document.graph.nodes.entries()) {
    const [input = '', output = ''] = [node.inputs[0], node.outputs[0]];
    const [value, bound] = [quantizers.get(node), bounds.get(node)];
    const isMoved = MOVES.has(node.opType) && integers.has(input);
    if (value || isMoved) for (const one of node.outputs) integers.add(one);
    const same = value && clipped.get(`${bound} ${input}`);
    if (same !== undefined) renamed.set(output, same);
    else if (value && bound !== undefined) {
      nodes.push(clipNode(value, bound, added));
      clipped.set(`${bound} ${input}`, output);
    } else if (value || dequantizers.has(node)) renamed.set(output, renamed.get(input) ?? input);
    else if (!gone.has(node)) {
      const found = stored.get(node);
      const kept = graph.node?.[at];
      if (found !== undefined) added.push(weightTensor(output, found));
      else if (kept !== undefined) nodes.push(kept);
    }
  }
  graph.node = nodes;
  graph.initializer = [...(graph.initializer ?? []), ...added];
  // The names in a function are its own.
  rename(graphsOf({ ...proto, functions: [] }), renamed);
  for (const { name = '' } of graph.output ?? []) {
    const from = renamed.get(name ?? '');
    if (from !== undefined) nodes.push(identityNode(from, name ?? ''));
  }
  graph.valueInfo = (graph.valueInfo ?? []).filter(({ name }) => !integers.has(name ?? ''));
  dropUnread(graph, graphsOf(proto));
  const model = await modelFromBytes(encodeModel(proto), label);
  return {
    model,
    quantised,
    left,
    tensorOf: ({ node }) => {
      const [input = '', output = ''] = [node.inputs[0], node.outputs[0]];
      const tensor = bounds.get(node) === undefined ? input : output;
      return renamed.get(tensor) ?? tensor;
    },
  };
}

/** Returns the note on stored numbers that cannot be repaired, such as those of 4 bits. */
export function noteOnLeft({ left }: Pick<FloatVersion, 'left'>): string[] {
  const [first] = left;
  if (first === undefined) return [];
  const nodes =
    left.length === 1 ? 'a DequantizeLinear' : `${plural(left.length, 'DequantizeLinear node')}, first`;
  return [
    `the stored numbers of ${nodes} (${nodeLabel(first)}) are not repaired: int8 reads those of 8, 16 and 32 bits, with a scale for the tensor or for each channel`,
  ];
}

/** Makes the nodes of graphs read other names. */
function rename(graphs: readonly GraphProto[], names: ReadonlyMap<string, string>): void {
  for (const graph of graphs)
    for (const node of graph.node ?? [])
      node.input = (node.input ?? []).map((name) => names.get(name) ?? name);
}

/** Deletes the stored tensors that no node reads, and the Identity nodes between them and deleted nodes. */
function dropUnread(main: GraphProto, graphs: readonly GraphProto[]): void {
  const isCopy = ({ opType }: NodeProto) => opType === 'Identity';
  const read = new Set(
    graphs.flatMap(({ node, output }) => [
      ...(node ?? []).flatMap((one) => (isCopy(one) ? [] : (one.input ?? []))),
      ...(output ?? []).map(({ name }) => name ?? ''),
    ]),
  );
  for (const graph of graphs.toReversed())
    graph.node = (graph.node ?? [])
      .toReversed()
      .filter((one) => {
        const isRead = !isCopy(one) || (one.output ?? []).some((name) => read.has(name));
        if (isRead) for (const name of one.input ?? []) read.add(name);
        return isRead;
      })
      .reverse();
  main.initializer = (main.initializer ?? []).filter(({ name }) => read.has(name ?? ''));
}
