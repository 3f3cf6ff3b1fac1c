import { createNodeWriter, withInputs } from '../../mish/node-writer.js';
import { initializerField, MIN_IR_VERSION } from '../../onnx/compose.js';
import { type Node, type OnnxDocument, rewriteObstacle } from '../../onnx/document.js';
import { concat } from '../../onnx/encode.js';
import { type GraphIndex, indexGraphs } from '../../onnx/graph-index.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import type { TensorProto } from '../../onnx/model-passes/model-proto.js';
import { behindIdentity, numberUses } from '../../onnx/number-uses.js';
import { splice } from '../../onnx/splice.js';
import { readWeight, type Weight, weightOf } from '../../onnx/weights.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import { elementCount } from '../../providers/tensor.js';
import { SCALED_NORMS } from './scale-rules.js';

// Exporters write equal constants once, such as the bound of all clamps. Readers of one constant would share one scale.

/** Maximum number of elements of a constant that is copied. */
const MAX_ELEMENTS = 1024;
/** Operators all of whose constants take a scale. */
const SCALED: ReadonlySet<string> = new Set([
  'Add',
  'Sub',
  'Max',
  'Min',
  'Sum',
  'Mean',
  'Mul',
  'Concat',
  'BatchNormalization',
  ...SCALED_NORMS,
]);
/** Operators whose bias takes a scale. Weights that layers share stay shared: a network may tie them on purpose. */
const WITH_BIAS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
const BIAS_SLOT = 2;

/** Returns the node that reads a weight alone, or first. */
function firstReader(index: GraphIndex, { home, name }: Weight): Node | undefined {
  const [use] = numberUses(index, home, name);
  return use?.kind === 'input' ? use.node : undefined;
}

/**
 * Returns the name of the weights that a node adds a bias to; undefined if it has none. Nodes with the same weights share both scales, so
 * that they may share a bias as well.
 */
function weightsOf(node: Node, { graph }: OnnxDocument, index: GraphIndex): string | undefined {
  const origin = (name: string | undefined) => name && behindIdentity(index, graph, name);
  if (WITH_BIAS.has(node.opType)) return origin(node.inputs[1]);
  if (node.opType !== 'Add') return undefined;
  const makers = node.inputs.map((_, slot) => index.source(graph, node, slot));
  return origin(makers.find((maker) => maker?.opType === 'MatMul')?.inputs[1]);
}

/**
 * Gives each node of the main graph a small constant of its own where several read one. Nodes that apply the same weights keep one bias.
 * The model computes the same. No node gets another place: a plan names the bodies of nodes without a name by their places.
 */
export async function separateConstants(model: EditableModel): Promise<EditableModel> {
  const { document, openData } = model;
  const { graph, irVersion, scopes } = document;
  if (irVersion < MIN_IR_VERSION && scopes.some(({ owner }) => owner !== undefined)) return model;
  const index = indexGraphs(document);
  const writer = createNodeWriter(document);
  const biases = new Map<string, string>();
  const initializers: Uint8Array[] = [];
  let copies = 0;
  const define = (wanted: string, tensor: TensorProto): string => {
    if (irVersion < MIN_IR_VERSION) return writer.define(graph, wanted, tensor);
    const name = writer.fresh(wanted);
    initializers.push(initializerField({ ...tensor, name }));
    return name;
  };
  for (const node of graph.nodes) {
    const isScaled = SCALED.has(node.opType);
    if (node.domain !== '' || !(isScaled || WITH_BIAS.has(node.opType)) || rewriteObstacle(node)) continue;
    const inputs = [...node.inputs];
    const weights = weightsOf(node, document, index);
    for (const [slot, input] of node.inputs.entries()) {
      if (!isScaled && slot !== BIAS_SLOT) continue;
      const name = behindIdentity(index, graph, input);
      const weight = weightOf(index, graph, name);
      if (weight === undefined || weight.home !== graph) continue;
      const { dims, external } = weight.tensor;
      if (external !== undefined || elementCount(dims) > MAX_ELEMENTS) continue;
      const key = JSON.stringify([weights ?? node.span.start, weights === undefined ? slot : 0, name]);
      const known = biases.get(key);
      if (known === undefined && firstReader(index, weight) !== node) {
        const tensor = floatTensor(await readWeight(document, weight, openData), weight.type, dims);
        inputs[slot] = define(name, tensor);
        copies++;
      } else inputs[slot] = known ?? input;
      biases.set(key, inputs[slot] ?? name);
    }
    if (inputs.some((name, slot) => name !== node.inputs[slot]))
      writer.replace(graph, node, [withInputs(node, inputs)]);
  }
  const frame = graph.nodes[0]?.frame;
  if (copies === 0 || frame === undefined) return model;
  const added = { start: frame.end, end: frame.end, bytes: concat(initializers), frame };
  return model.edited(splice(document.source, [...writer.finish(undefined), added]));
}
