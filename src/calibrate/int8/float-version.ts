import { findImpliedRelus } from '../../mish/implied-relu.js';
import { isDequantizer } from '../../mish/quantization.js';
import { MOVES } from '../../mish/use-moves.js';
import { analyse } from '../../onnx/analysis.js';
import type { Node } from '../../onnx/document.js';
import {
  decodeModel,
  encodeModel,
  type GraphProto,
  graphsOf,
  identityNode,
  type NodeProto,
} from '../../onnx/model-passes/model-proto.js';
import { scalarTensor } from '../../onnx/scalar.js';
import { FLOAT_TYPES } from '../../onnx/types.js';
import { floatBytes } from '../../onnx/weights.js';
import { type LoadedModel, modelFromBytes } from '../../providers/loaded-model.js';
import { dequantised, type QuantisedValue, quantisedValues, storedIntegersOf } from './quantised-values.js';

/** A quantised model as floats. */
export interface FloatVersion {
  readonly model: LoadedModel;
  readonly quantised: readonly QuantisedValue[];
  /** Returns the name of the float tensor that a QuantizeLinear node quantises. */
  readonly tensorOf: (value: QuantisedValue) => string;
}

/** Returns an activation in the place of a QuantizeLinear node that clips. */
function clipNode({ name, inputs, outputs }: Node, kind: string, graph: GraphProto): NodeProto {
  const node = { name, input: inputs.slice(0, 1), output: [...outputs] };
  if (kind !== 'relu6') return { ...node, opType: 'Relu' };
  const [low, high] = [0, 6].map((value) => {
    const bound = { ...scalarTensor(value, 'f32'), name: `${outputs[0]}/bound_${value}` };
    graph.initializer?.push(bound);
    return bound.name;
  });
  return { ...node, opType: 'Clip', input: [inputs[0] ?? '', low ?? '', high ?? ''] };
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
  const implied = findImpliedRelus(document, analysis);
  const kinds = new Map(
    [...implied.sites, ...implied.skipped].flatMap(({ node, scope, kind }) =>
      scope === document.graph ? [[node, kind] as const] : [],
    ),
  );
  const quantised = quantisedValues(document, index);
  const quantizers = new Set(quantised.map(({ node }) => node));
  const dequantizers = new Set(quantised.flatMap((value) => [...value.dequantizers]));
  const renamed = new Map<string, string>();
  const integers = new Set<string>();
  const nodes: NodeProto[] = [];
  for (const [at, node] of document.graph.nodes.entries()) {
    const [input = '', output = ''] = [node.inputs[0], node.outputs[0]];
    const kind = kinds.get(node);
    const isMoved = MOVES.has(node.opType) && integers.has(input);
    if (quantizers.has(node) || isMoved) for (const one of node.outputs) integers.add(one);
    if (quantizers.has(node) && kind !== undefined) nodes.push(clipNode(node, kind, graph));
    else if (quantizers.has(node) || dequantizers.has(node)) renamed.set(output, renamed.get(input) ?? input);
    else {
      const stored = isDequantizer(node) ? await storedIntegersOf(document, index, node) : undefined;
      const own = graph.node?.[at];
      if (stored === undefined) {
        if (own) nodes.push(own);
        continue;
      }
      const { type } = stored;
      graph.initializer?.push({
        ...{ name: output, dims: [...stored.integers.dims], dataType: FLOAT_TYPES[type] },
        rawData: floatBytes(dequantised(stored), type),
      });
    }
  }
  graph.node = nodes;
  rename(graphsOf(proto), renamed);
  for (const { name = '' } of graph.output ?? []) {
    const from = renamed.get(name ?? '');
    if (from !== undefined) nodes.push(identityNode(from, name ?? ''));
  }
  graph.valueInfo = (graph.valueInfo ?? []).filter(({ name }) => !integers.has(name ?? ''));
  dropUnread(proto.graph ?? {}, graphsOf(proto));
  const model = await modelFromBytes(encodeModel(proto), label);
  return {
    model,
    quantised,
    tensorOf: ({ node }) => {
      const [input = '', output = ''] = [node.inputs[0], node.outputs[0]];
      return kinds.has(node) ? output : (renamed.get(input) ?? input);
    },
  };
}

/** Makes the nodes of all graphs read other names. */
function rename(graphs: readonly GraphProto[], names: ReadonlyMap<string, string>): void {
  for (const graph of graphs)
    for (const node of graph.node ?? [])
      node.input = (node.input ?? []).map((name) => names.get(name) ?? name);
}

/** Deletes the stored tensors that no node reads. */
function dropUnread(main: GraphProto, graphs: readonly GraphProto[]): void {
  const read = new Set(
    graphs.flatMap(({ node, output }) => [
      ...(node ?? []).flatMap(({ input }) => input ?? []),
      ...(output ?? []).map(({ name }) => name ?? ''),
    ]),
  );
  main.initializer = (main.initializer ?? []).filter(({ name }) => read.has(name ?? ''));
}
