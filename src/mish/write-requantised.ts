import type { onnx } from '../../proto/onnx.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { floatTensor } from '../onnx/model-passes/float-tensor.js';
import type { Edit } from '../onnx/splice.js';
import { DataType } from '../onnx/types.js';
import { createNodeWriter, type NodeWriter, withInputs } from './node-writer.js';
import { fitQlinear } from './qlinear.js';
import { integerTensor, isQuantizer, type Quantization } from './quantization.js';
import { directlyReached } from './quantized-reach.js';
import type { PlacedSite, QuantizedSite, Requantisation } from './requantise.js';
import type { RequantisedBias } from './requantised-biases.js';
import { inputOf } from './site.js';

/** Edits of a requantisation, and the sites that `rewrite` writes between them. */
export interface WrittenRequantisation {
  readonly edits: readonly Edit[];
  /** Sites in a form between floats; their node and input may be new. */
  readonly targets: readonly QuantizedSite[];
  /** Number of sites on integers. */
  readonly onIntegers: number;
  /** Largest difference of a site on integers from Mish, the rounding of its output included; 0 without such a site. */
  readonly bound: number;
}

/** The domain of ONNX Runtime's operators. */
const DOMAIN = 'com.microsoft';

/** The edits so far, and the facts that writing a site needs. */
interface Writing {
  readonly writer: NodeWriter;
  readonly index: GraphIndex;
  readonly rescaled: Requantisation['rescaled'];
  /** Names of the scale and the zero point of each rescaled node. */
  readonly parameters: ReadonlyMap<Node, readonly string[]>;
}

/** Writes the new scales and biases, and the sites that compute on integers. `rewrite` writes the other sites. */
export function writeRequantised(
  document: OnnxDocument,
  index: GraphIndex,
  { placed, rescaled }: Requantisation,
  biases: readonly RequantisedBias[],
): WrittenRequantisation {
  const writer = createNodeWriter(document);
  const parameters = new Map<Node, readonly string[]>();
  for (const [node, { scope, quantization, dequantizers }] of rescaled) {
    const names = writer.defineQuantization(scope, `${node.outputs[0]}/int8`, quantization);
    for (const reader of [node, ...dequantizers]) parameters.set(reader, names);
  }
  const writing: Writing = { writer, index, rescaled, parameters };
  const targets: QuantizedSite[] = [];
  const bounds: number[] = [];
  for (const place of placed) {
    const { site, reached, input, onIntegers } = place;
    const quantizer = directlyReached(reached)[0]?.node;
    if (onIntegers && input !== undefined && quantizer !== undefined)
      bounds.push(writeOnIntegers(writing, place, input, quantizer));
    else targets.push(writeOnFloats(writing, { ...place, site: { ...site, x: inputOf(site) } }));
  }
  for (const [quantizer, { scope, dequantizers }] of rescaled)
    for (const node of [quantizer, ...dequantizers]) {
      const inputs = [node.inputs[0] ?? '', ...(parameters.get(node) ?? [])];
      if (!writer.isDone(node)) writer.replace(scope, node, [withParameters(node, inputs)]);
    }
  for (const [node, { scope, quantization }] of rescaled)
    if (scope.values.get(node.outputs[0] ?? '')?.elemType !== quantization.elemType)
      writer.forget(scope, node);
  for (const bias of biases) writeBias(writer, bias);
  const edits = writer.finish(bounds.length > 0 ? DOMAIN : undefined);
  return { edits, targets, onIntegers: bounds.length, bound: Math.max(0, ...bounds) };
}

/** Returns a node with other inputs, and without `output_dtype`, which the new zero point replaces. */
function withParameters(node: Node, inputs: readonly string[]): onnx.INodeProto {
  const made = withInputs(node, inputs);
  if (!isQuantizer(node)) return made;
  return { ...made, attribute: (made.attribute ?? []).filter(({ name }) => name !== 'output_dtype') };
}

const prefixOf = ({ name, outputs }: Node) => `${name || outputs[0]}/int8`;

/** Returns the domain of the QuantizeLinear node after a site: new ones have the same integers. */
const domainOf = ({ reached }: PlacedSite) => directlyReached(reached)[0]?.node.domain ?? '';

/** Quantises the float input of a site before a node; returns the names of the integers, the scale and the zero point. */
function quantizeInput(
  { writer }: Writing,
  place: PlacedSite,
  input: Quantization,
  before: Node,
): readonly string[] {
  const { site } = place;
  const { scope, node } = site;
  const prefix = prefixOf(node);
  const names = writer.defineQuantization(scope, `${prefix}/input`, input);
  const integers = writer.fresh(`${prefix}/quantized`);
  const name = writer.fresh(`${prefix}/QuantizeLinear`);
  const [opType, domain] = ['QuantizeLinear', domainOf(place)];
  writer.insert(scope, before, [
    { opType, domain, name, input: [inputOf(site), ...names], output: [integers] },
  ]);
  return [integers, ...names];
}

/** Writes a site as QLinearSigmoid and QLinearMul; returns its largest difference from Mish. */
function writeOnIntegers(writing: Writing, place: PlacedSite, input: Quantization, quantizer: Node): number {
  const { writer, index, rescaled, parameters } = writing;
  const { site, before } = place;
  const { scope, node, beta } = site;
  const prefix = prefixOf(node);
  const [
    x = '',
    scale = '',
    zero = writer.define(scope, `${prefix}/zero`, integerTensor([0], input.elemType)),
  ] =
    before === undefined
      ? quantizeInput(writing, place, input, quantizer)
      : [before.inputs[0] ?? '', ...(parameters.get(before) ?? before.inputs.slice(1))];
  const fit = fitQlinear(input, rescaled.get(quantizer)?.quantization ?? input, beta);
  const shifted = writer.defineQuantization(scope, `${prefix}/shifted`, { ...input, ...fit.shifted });
  const gate = writer.defineQuantization(scope, `${prefix}/gate`, { ...input, ...fit.gate });
  const gated = writer.fresh(`${prefix}/sigmoid`);
  const nodeOf = (opType: string, inputs: readonly string[], output: readonly string[]): onnx.INodeProto => ({
    opType,
    domain: DOMAIN,
    name: writer.fresh(`${prefix}/${opType}`),
    input: [...inputs],
    output: [...output],
  });
  const y = parameters.get(quantizer) ?? [];
  writer.replace(scope, quantizer, [
    nodeOf('QLinearSigmoid', [x, ...shifted, ...gate], [gated]),
    nodeOf('QLinearMul', [x, scale, zero, gated, ...gate, ...y], quantizer.outputs),
  ]);
  if (node !== quantizer) writer.drop(scope, node);
  if (before !== undefined && index.uses(scope, before.outputs[0] ?? '').length === 1)
    writer.drop(scope, before);
  return fit.bound;
}

/** Prepares a site for a form between floats, and returns it with its node and input. */
function writeOnFloats(writing: Writing, place: PlacedSite): QuantizedSite {
  const { writer, parameters } = writing;
  const { site, reached, input, isNew } = place;
  const { scope, node } = site;
  let x = inputOf(site);
  if (isNew && input !== undefined) {
    const integers = quantizeInput(writing, place, input, node);
    x = writer.fresh(`${prefixOf(node)}/input`);
    const name = writer.fresh(`${prefixOf(node)}/DequantizeLinear`);
    const [opType, domain] = ['DequantizeLinear', domainOf(place)];
    writer.insert(scope, node, [{ opType, domain, name, input: [...integers], output: [x] }]);
  }
  if (node.opType !== 'QuantizeLinear') return { ...site, x };
  // Without a Relu node, Mish comes before the QuantizeLinear nodes, which read it.
  const y = writer.fresh(`${prefixOf(node)}/output`);
  const { start } = node.span;
  for (const { node: reader } of reached.filter((one) => one.node.inputs[0] === node.inputs[0]))
    writer.replace(scope, reader, [
      withParameters(reader, [y, ...(parameters.get(reader) ?? reader.inputs.slice(1))]),
    ]);
  return { ...site, x, node: { ...node, outputs: [y], span: { start, end: start } } };
}

function writeBias(
  writer: NodeWriter,
  { scope, node, values, shape, scales, type, dims }: RequantisedBias,
): void {
  const prefix = `${node.outputs[0]}/int8`;
  const integers = writer.define(scope, `${prefix}/bias`, integerTensor(values, DataType.INT32, shape));
  const scale = writer.define(scope, `${prefix}/scale`, floatTensor(scales, type, dims));
  writer.replace(scope, node, [withInputs(node, [integers, scale, ...node.inputs.slice(2)])]);
}
