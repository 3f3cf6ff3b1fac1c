import { createNodeWriter, intAttribute, type NodeWriter, withInputs } from '../../mish/node-writer.js';
import { integerTensor, isDequantizer, quantizationOf } from '../../mish/quantization.js';
import { type Node, type OnnxDocument, rewriteObstacle, type StoredTensor } from '../../onnx/document.js';
import { messageField } from '../../onnx/encode.js';
import { type GraphIndex, indexGraphs } from '../../onnx/graph-index.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import { behindIdentity, numberUses } from '../../onnx/number-uses.js';
import { ROUNDING, roundTo } from '../../onnx/scalar.js';
import type { Edit } from '../../onnx/splice.js';
import { DataType, type FloatType, floatType } from '../../onnx/types.js';
import { DATA, dataEdit, floatBytes, readWeight, weightEdit, weightOf } from '../../onnx/weights.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import { type NewIntegers, requantise } from './quantise-stored.js';
import { dequantised, type StoredIntegers, storedIntegersOf, toIntegers } from './quantised-values.js';

/** Edits that write float weights into a quantised model. */
export interface WrittenWeights {
  readonly edits: readonly Edit[];
  /** Number of stored tensors with new numbers, biases among them. */
  readonly tensors: number;
}

/** Operators whose third input is a bias. */
const LAYERS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
const WEIGHTS_SLOT = 1;
const BIAS_SLOT = 2;
const PARTS = ['values', 'scales', 'zeroPoints'] as const;

/** The models, and the edits so far. */
interface Writing {
  readonly document: OnnxDocument;
  readonly index: GraphIndex;
  readonly floats: EditableModel;
  readonly floatIndex: GraphIndex;
  readonly writer: NodeWriter;
  readonly edits: Edit[];
  /** New inputs of nodes, by slot. */
  readonly inputs: Map<Node, Map<number, string>>;
  /** Names of the constants that an Add after a MatMul adds. */
  readonly added: Map<Node, string>;
  /** Tensors that an edit replaces. */
  readonly replaced: Set<StoredTensor>;
}

/** Returns the name of a node's first output that has one: the first of an LSTM is often absent. */
const firstOutput = ({ outputs }: Node): string => outputs.find((name) => name !== '') ?? '';

const isSame = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.from(a).every((value, at) => value === b[at]);

/**
 * Writes the weights of a float model into a quantised one, with scales made for them. A node of the two models is the same if its
 * first output has the same name. Integers are written where the old ones are, unless other nodes read those as well. Throws
 * `external-data`, `malformed`.
 */
export async function writeWeights(target: EditableModel, floats: EditableModel): Promise<WrittenWeights> {
  const { document } = target;
  const writing: Writing = {
    document,
    floats,
    index: indexGraphs(document),
    floatIndex: indexGraphs(floats.document),
    writer: createNodeWriter(document),
    edits: [],
    inputs: new Map(),
    added: new Map(),
    replaced: new Set(),
  };
  const byOutput = new Map(floats.document.graph.nodes.map((node) => [firstOutput(node), node]));
  let tensors = 0;
  for (const node of document.graph.nodes) {
    const last = byOutput.get(firstOutput(node));
    if (last === undefined || node.domain !== '' || rewriteObstacle(node)) continue;
    const product =
      last.opType === 'Add' ? writing.floatIndex.source(floats.document.graph, last, 0) : undefined;
    if (last.opType === node.opType) tensors += await writeNode(writing, node, last);
    // A repair adds the bias of a MatMul by an Add that gives what the MatMul gave.
    else if (node.opType === 'MatMul' && product?.opType === 'MatMul')
      tensors += (await writeNode(writing, node, product)) + (await writeAdd(writing, node, last));
  }
  for (const node of new Set([...writing.inputs.keys(), ...writing.added.keys()])) replaceNode(writing, node);
  return { edits: [...writing.edits, ...writing.writer.finish(undefined)], tensors };
}

/** Replaces a node by the node with its new inputs, and an Add if a constant is added. */
function replaceNode({ document: { graph }, writer, inputs, added }: Writing, node: Node): void {
  const slots = inputs.get(node) ?? new Map<number, string>();
  const length = Math.max(node.inputs.length, ...[...slots.keys()].map((slot) => slot + 1));
  const made = withInputs(
    node,
    Array.from({ length }, (_, slot) => slots.get(slot) ?? node.inputs[slot] ?? ''),
  );
  const constant = added.get(node);
  if (constant === undefined) {
    writer.replace(graph, node, [made]);
    return;
  }
  const y = firstOutput(node);
  const product = writer.fresh(`${y}/product`);
  writer.replace(graph, node, [
    { ...made, output: [product] },
    { opType: 'Add', name: writer.fresh(`${y}/add_bias`), input: [product, constant], output: [y] },
  ]);
}

/** Adds the constant of an Add of the float model to what a MatMul gives. Returns the number of new tensors. */
async function writeAdd(writing: Writing, node: Node, { inputs }: Node): Promise<number> {
  const { document, floats, floatIndex, writer, added } = writing;
  const bias = weightOf(floatIndex, floats.document.graph, inputs[1] ?? '');
  if (bias === undefined) return 0;
  const numbers = await readWeight(floats.document, bias, floats.openData);
  const tensor = floatTensor(numbers, bias.type, bias.tensor.dims);
  added.set(node, writer.define(document.graph, `${firstOutput(node)}/int8/bias`, tensor));
  return 1;
}

/** Writes the weights and the bias of a node. Returns the number of changed tensors. */
async function writeNode(writing: Writing, node: Node, counterpart: Node): Promise<number> {
  const { document, index, floats, floatIndex } = writing;
  const { graph } = document;
  const biasNeeds = await biasNeedsOf(writing, node, counterpart);
  let changed = 0;
  let weightScales: readonly number[] | undefined;
  for (let slot = 0; slot < counterpart.inputs.length; slot++) {
    const wanted = weightOf(floatIndex, floats.document.graph, counterpart.inputs[slot] ?? '');
    if (wanted === undefined) continue;
    const numbers = await readWeight(floats.document, wanted, floats.openData);
    const name = node.inputs[slot] ?? '';
    const source = index.producer(graph, name);
    const stored = isDequantizer(source) ? await storedIntegersOf(document, index, source) : undefined;
    const isBias = slot === BIAS_SLOT && LAYERS.has(node.opType);
    if (stored === undefined) {
      if (name === '' && isBias) changed += addBias(writing, node, wanted.type, numbers, weightScales);
      else if (!isDequantizer(source)) changed += await writeFloats(writing, node, slot, numbers);
      continue;
    }
    const made =
      stored.elemType === DataType.INT32
        ? biasOf(writing, node, stored, numbers, isBias ? weightScales : undefined)
        : weightsOf(stored, numbers, slot === WEIGHTS_SLOT ? biasNeeds : []);
    if (slot === WEIGHTS_SLOT) weightScales = made.scales;
    if (PARTS.every((part) => isSame(made[part], stored[part]))) continue;
    await writeStored(writing, node, slot, stored, made);
    changed++;
  }
  return changed;
}

/** Returns the integers of stored weights for new numbers: the old ones if they stand for these numbers, and if a new bias fits them. */
function weightsOf(
  stored: StoredIntegers,
  numbers: ArrayLike<number>,
  biasNeeds: readonly number[],
): NewIntegers {
  const { scales } = stored;
  const most = biasNeeds.reduce((a, b) => Math.max(a, b), 0);
  const leastScales = scales.map((_, channel) =>
    scales.length === biasNeeds.length ? (biasNeeds[channel] ?? 0) : most,
  );
  const isEnough = scales.every((scale, channel) => scale >= (leastScales[channel] ?? 0));
  return isEnough && isSame(numbers, dequantised(stored)) ? stored : requantise(numbers, stored, leastScales);
}

/**
 * Returns the least scale of the weights with which 32 bits hold the new bias, for each of its elements: the scale of the bias follows
 * from that of the weights. Empty if the layer gets no integers as its bias.
 */
async function biasNeedsOf(writing: Writing, node: Node, { inputs }: Node): Promise<readonly number[]> {
  const { document, index, floats, floatIndex } = writing;
  const scale = LAYERS.has(node.opType) ? inputScale(writing, node) : undefined;
  const bias = weightOf(floatIndex, floats.document.graph, inputs[BIAS_SLOT] ?? '');
  const old = node.inputs[BIAS_SLOT] ?? '';
  const isOnFloats = old !== '' && !isDequantizer(index.producer(document.graph, old));
  if (scale === undefined || bias === undefined || isOnFloats) return [];
  // The product of the scales is rounded, and must not be below what the bias needs then.
  const most = 2 ** 31 * (1 - 4 * ROUNDING[bias.type]) * scale;
  const numbers = await readWeight(floats.document, bias, floats.openData);
  return Array.from(numbers, (value) => Math.abs(value) / most);
}

/** Returns the scale of a layer's input; undefined if it is not quantised as a whole. */
function inputScale({ document, index }: Writing, node: Node): number | undefined {
  const source = index.producer(document.graph, node.inputs[0] ?? '');
  return isDequantizer(source) ? quantizationOf(index, document.graph, source)?.scale : undefined;
}

/**
 * Returns the scales of a bias: the products of the scales of input and weights, without which ONNX Runtime computes on floats.
 * Undefined if a scale is unknown, or a product is 0 in the type of the scales.
 */
function biasScales(
  writing: Writing,
  node: Node,
  weightScales: readonly number[] | undefined,
  type: FloatType,
): readonly number[] | undefined {
  const scale = inputScale(writing, node);
  const scales = scale === undefined ? undefined : weightScales?.map((one) => roundTo(scale * one, type));
  return scales?.every((one) => one > 0) ? scales : undefined;
}

/** Returns the integers of a stored bias for new numbers, with the scales of `biasScales` if there are as many, else with the old. */
function biasOf(
  writing: Writing,
  node: Node,
  stored: StoredIntegers,
  numbers: ArrayLike<number>,
  weightScales: readonly number[] | undefined,
): NewIntegers {
  const wanted = biasScales(writing, node, weightScales, stored.type);
  const fits = wanted?.length === stored.scales.length || wanted?.length === 1;
  const scales =
    fits && wanted ? stored.scales.map((_, at) => wanted[at % wanted.length] ?? 1) : stored.scales;
  const parameters = { scales, zeroPoints: stored.zeroPoints };
  return { values: toIntegers(numbers, stored, parameters), ...parameters };
}

/** Gives a layer a bias: integers, or floats for a layer that computes on floats. Returns the number of changed tensors. */
function addBias(
  writing: Writing,
  node: Node,
  type: FloatType,
  numbers: ArrayLike<number>,
  weightScales: readonly number[] | undefined,
): number {
  const { document, index, writer, inputs } = writing;
  const scales = biasScales(writing, node, weightScales, type);
  const { graph } = document;
  const prefix = `${node.outputs[0]}/int8/bias`;
  if (scales === undefined || (scales.length > 1 && scales.length !== numbers.length)) {
    const tensor = floatTensor(numbers, type, [numbers.length]);
    setInput(inputs, node, BIAS_SLOT, writer.define(graph, prefix, tensor));
    return 1;
  }
  const channelOf = (at: number) => at % scales.length;
  const parameters = { scales, zeroPoints: scales.map(() => 0) };
  const values = toIntegers(numbers, { elemType: DataType.INT32, channelOf }, parameters);
  const dims = scales.length === 1 ? [] : [scales.length];
  const names = [
    writer.define(graph, prefix, integerTensor(values, DataType.INT32, [values.length])),
    writer.define(graph, `${prefix}/scale`, floatTensor(scales, type, dims)),
  ];
  const output = writer.fresh(`${prefix}/dequantized`);
  const axis = intAttribute('axis', 0);
  // Before opset 19 only ONNX Runtime's own operator takes scales of float16.
  const domain = index.producer(graph, node.inputs[0] ?? '')?.domain ?? '';
  const name = writer.fresh(`${prefix}/DequantizeLinear`);
  writer.insert(graph, node, [
    {
      opType: 'DequantizeLinear',
      domain,
      name,
      input: names,
      output: [output],
      attribute: scales.length === 1 ? [] : [axis],
    },
  ]);
  setInput(inputs, node, BIAS_SLOT, output);
  return 1;
}

function setInput(inputs: Writing['inputs'], node: Node, slot: number, name: string): void {
  const slots = inputs.get(node) ?? new Map<number, string>();
  inputs.set(node, slots.set(slot, name));
}

/** Writes float numbers that a node reads without a DequantizeLinear. Returns the number of changed tensors. */
async function writeFloats(
  { document, index, edits, writer, inputs, replaced }: Writing,
  node: Node,
  slot: number,
  numbers: Float64Array,
): Promise<number> {
  const { graph } = document;
  const weight = weightOf(index, graph, behindIdentity(index, graph, node.inputs[slot] ?? ''));
  if (weight === undefined || replaced.has(weight.tensor)) return 0;
  if (isSame(await readWeight(document, weight), numbers)) return 0;
  if (numberUses(index, weight.home, weight.name).length === 1) {
    replaced.add(weight.tensor);
    edits.push(await weightEdit(document, weight, numbers));
  } else {
    const tensor = floatTensor(numbers, weight.type, weight.tensor.dims);
    setInput(inputs, node, slot, writer.define(graph, `${weight.name}/int8`, tensor));
  }
  return 1;
}

/** Writes integers with their scales and zero points: in place, or as constants of their own if others read the old ones. */
async function writeStored(
  writing: Writing,
  node: Node,
  slot: number,
  old: StoredIntegers,
  made: NewIntegers,
): Promise<void> {
  const { document, index, edits, replaced } = writing;
  const { graph } = document;
  const { node: dequantizer, quantizer } = old;
  const tensors = tensorsOf(old, made);
  const pair = new Set([dequantizer, quantizer]);
  const names = [...dequantizer.inputs, ...(quantizer?.inputs ?? [])].filter((name) => name !== '');
  const isAlone =
    index.uses(graph, dequantizer.outputs[0] ?? '').length === 1 &&
    names.every(
      (name) =>
        index.producer(graph, name)?.opType !== 'Identity' &&
        index.uses(graph, name).every((use) => use.kind === 'input' && pair.has(use.node)),
    ) &&
    tensors.every(({ tensor }) => tensor.frame !== undefined && !replaced.has(tensor));
  if (!isAlone) return writeAnew(writing, node, slot, old, tensors);
  for (const { tensor, rawData } of tensors) {
    replaced.add(tensor);
    edits.push(await dataEdit(document, { name: tensor.name, tensor }, messageField(DATA.raw, rawData)));
  }
}

/** A stored tensor, and its new data. */
interface NewData {
  readonly tensor: StoredTensor;
  readonly rawData: Uint8Array;
}

/** Returns the stored tensors of integers, scales and zero points with their new data; floats for stored floats. */
function tensorsOf(old: StoredIntegers, { values, scales, zeroPoints }: NewIntegers): NewData[] {
  const { quantizer, stored, scale, zeroPoint, type, elemType } = old;
  const bytes = (numbers: ArrayLike<number>, of: number) =>
    integerTensor(Array.from(numbers), of).rawData ?? new Uint8Array(0);
  const rawData = quantizer
    ? floatBytes(dequantised({ ...old, values, scales, zeroPoints }), floatType(stored.elemType) ?? type)
    : bytes(values, elemType);
  return [
    { tensor: stored, rawData },
    { tensor: scale, rawData: floatBytes(scales, type) },
    ...(zeroPoint ? [{ tensor: zeroPoint, rawData: bytes(zeroPoints, zeroPoint.elemType) }] : []),
  ];
}

/** Writes new constants, and the nodes that read them, before a node. */
function writeAnew(
  { document, writer, inputs }: Writing,
  node: Node,
  slot: number,
  { node: dequantizer, quantizer }: StoredIntegers,
  tensors: readonly NewData[],
): void {
  const { graph } = document;
  const [input = '', ...parameters] = tensors.map(({ tensor: { name, dims, elemType }, rawData }) =>
    writer.define(graph, `${name}/int8`, { dataType: elemType, dims: [...dims], rawData }),
  );
  let name = input;
  for (const one of quantizer ? [quantizer, dequantizer] : [dequantizer]) {
    const output = writer.fresh(`${one.outputs[0]}/int8`);
    const label = writer.fresh(`${one.name || output}/int8`);
    const made = withInputs(one, [name, ...parameters]);
    writer.insert(graph, node, [{ ...made, name: label, output: [output] }]);
    name = output;
  }
  setInput(inputs, node, slot, name);
}
