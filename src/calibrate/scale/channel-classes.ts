// A ReLU network also computes the same function when each channel of a tensor between linear layers has a scale of its own.
// Only operators that keep channels apart are known here; all others fix the scales of what they read and give.
import { isHomogeneous, readsShape, slotsAfter } from '../../mish/homogeneous.js';
import { inputOf, type Site } from '../../mish/sites.js';
import {
  attribute,
  type Node,
  nodeLabel,
  type OnnxDocument,
  type Scope,
  tensorOfConstant,
} from '../../onnx/document.js';
import { namesInside } from '../../onnx/extract.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { readNumbers } from '../../onnx/small-tensor.js';
import { type Weight, weightOf } from '../../onnx/weights.js';
import { elementCount } from '../../providers/tensor.js';
import { placesIn, type WeightPlaces } from './channel-places.js';
import { type ChannelSpan, type Concatenation, findChannelSpans, type WeightEnds } from './channel-spans.js';
import { createPinnedSets, type PinnedSets, type TensorNumber } from './pinned-sets.js';

/** A stored weight with the classes of the channels of the tensors before and after its node. */
export interface ChannelWeight {
  readonly weight: Weight;
  readonly up: readonly ChannelSpan[];
  readonly down: readonly ChannelSpan[];
  readonly places: WeightPlaces;
}

/** Tensors whose channels need the same scales. */
export interface ChannelClass {
  readonly number: number;
  /** Number of channels. */
  readonly size: number;
  /** Whether the channels are the last axis; else they are axis 1. */
  readonly isLast: boolean;
}

export interface ChannelClasses {
  /** Returns the class of a tensor of the main graph; undefined if its channels cannot have scales of their own. */
  classOf(name: string): ChannelClass | undefined;
  readonly weights: readonly ChannelWeight[];
}

/** Operators that have channels on axis 1. */
const CHANNELS_FIRST: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'BatchNormalization', 'MaxPool', 'AveragePool'],
  ...['GlobalAveragePool', 'GlobalMaxPool'],
]);
/** Operators that treat each channel alone. */
const UNARY: ReadonlySet<string> = new Set([
  ...['Identity', 'Dropout', 'Flatten', 'Pad', 'Resize', 'Upsample'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
]);
const REDUCTIONS: ReadonlySet<string> = new Set(['ReduceMean', 'ReduceSum', 'ReduceMax']);
/** Operators whose inputs and output have the same scales. */
const JOINT: ReadonlySet<string> = new Set(['Add', 'Sub', 'Sum', 'Max', 'Min']);
const LAYERS: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'BatchNormalization',
]);

/**
 * Finds the classes of the main graph. `sites` are its activations that are positively homogeneous. Whether a Reshape or a product
 * keeps channels apart is not certain before a run: compare the rescaled model with the original.
 */
export async function findChannelClasses(
  document: OnnxDocument,
  index: GraphIndex,
  sites: readonly Site[],
): Promise<ChannelClasses> {
  const { graph } = document;
  const sets = createPinnedSets(index.count);
  const visitor = createVisitor(document, index, sets);
  const reduced = await reducedAxes(document, index);
  // The sites may be those of another version of the document.
  const byOutput = new Map(sites.map((site) => [site.node.outputs[0], site]));
  for (const { name } of graph.inputs) visitor.pin([name], `'${name}' is an input of the model`);
  const inside = namesInside(document);
  const later: Node[] = [];
  for (const node of graph.nodes) {
    visitor.pin(inside.get(node) ?? [], nodeLabel(node));
    if (!visitNode(visitor, node, byOutput.get(node.outputs[0]), reduced.get(node))) later.push(node);
  }
  for (const node of later) visitGate(visitor, node);
  for (const { name } of graph.outputs) visitor.pin([name], `'${name}' is an output of the model`);
  const weights = visitor.weights();
  const roots = (names: Iterable<string>) =>
    new Set([...names].map((name) => sets.find(visitor.number(name))));
  const [firsts, lasts, overOne] = [roots(visitor.first), roots(visitor.last), roots(visitor.overOne)];
  const isMixed = (set: number) => firsts.has(set) && overOne.has(set);
  const inputs = roots(sites.map(inputOf));
  const { concatenations } = visitor;
  const isWhole = (set: number) => inputs.has(set) || isMixed(set);
  const { sizeOf, spansOf } = findChannelSpans({ sets, weights, concatenations, isWhole });
  return {
    weights: weights.map(({ weight, up, down, places }) => {
      return { weight, places, up: spansOf(sets.find(up)), down: spansOf(sets.find(down)) };
    }),
    classOf(name) {
      const number = sets.find(visitor.number(name));
      const size = number === undefined ? undefined : sizeOf(number);
      if (number === undefined || size === undefined || sets.reason(number) !== undefined) return undefined;
      if (isMixed(number)) return undefined;
      return { number, size, isLast: lasts.has(number) && !firsts.has(number) };
    },
  };
}

interface ChannelVisitor extends Omit<PinnedSets, 'pin'> {
  readonly graph: Scope;
  readonly index: GraphIndex;
  /** Tensors whose channels are on axis 1, those whose channels may be last, and those reduced over axis 1. */
  readonly first: Set<string>;
  readonly last: Set<string>;
  readonly overOne: Set<string>;
  readonly concatenations: Concatenation[];
  number(name: string): TensorNumber;
  stored(name: string): Weight | undefined;
  /** Fixes the scales of tensors, and of the tensors around weights. */
  pin(names: readonly string[], why: string): void;
  join(from: string, to: string, why: string): void;
  /** Gives a weight to a node. Returns false if it can take no factors. */
  take(node: Node, slot: number): boolean;
  weights(): (WeightEnds & { readonly weight: Weight })[];
}

function createVisitor(
  { graph, irVersion }: OnnxDocument,
  index: GraphIndex,
  sets: ReturnType<typeof createPinnedSets>,
): ChannelVisitor {
  const entries = new Map<Weight['tensor'], WeightEnds & { readonly weight: Weight; readonly key: string }>();
  const fixed = new Set<Weight['tensor']>();
  const number = (name: string) => index.number(graph, name);
  const stored = (name: string) => {
    const weight = weightOf(index, graph, name);
    // Before IR 4 initializers had to be inputs as well.
    return weight?.home === graph && !(irVersion >= 4 && index.isInput(graph, name)) ? weight : undefined;
  };
  return {
    ...sets,
    graph,
    index,
    number,
    stored,
    first: new Set(),
    last: new Set(),
    overOne: new Set(),
    concatenations: [],
    pin(names, why) {
      for (const name of names) {
        const weight = stored(name);
        if (weight === undefined) sets.pin(number(name), why);
        else {
          const { up, down } = entries.get(weight.tensor) ?? {};
          for (const around of [up, down]) if (around !== undefined) sets.pin(around, why);
          fixed.add(weight.tensor);
        }
      }
    },
    join(from, to, why) {
      if (stored(from) === undefined) sets.unite(number(from), number(to), why);
      else sets.pin(number(to), why);
    },
    take(node, slot) {
      const weight = stored(node.inputs[slot] ?? '');
      const places = weight && placesIn(node, slot, weight.tensor.dims);
      if (weight === undefined || places === undefined || fixed.has(weight.tensor)) return false;
      const [up, down] = ends(node, slot).map(number);
      const key = [node.opType, slot, ...['transB', 'group'].map((name) => attribute(node, name)?.i)].join();
      const before = entries.get(weight.tensor);
      if (before === undefined) entries.set(weight.tensor, { weight, up, down, places, key });
      else if (before.key !== key) return false;
      else {
        if (places.up !== undefined) sets.unite(before.up, up, nodeLabel(node));
        if (places.down !== undefined) sets.unite(before.down, down, nodeLabel(node));
      }
      return true;
    },
    weights: () => [...entries.values()],
  };
}

/** Applies the rule of a node's operator. Returns false for a product of two computed tensors, whose rule has to wait. */
function visitNode(
  visitor: ChannelVisitor,
  node: Node,
  site: Site | undefined,
  axes: readonly number[] | undefined,
): boolean {
  const { graph, index, stored, pin, join, take } = visitor;
  const { opType, domain, inputs, outputs } = node;
  const [x = '', second = ''] = inputs;
  const [y = ''] = outputs;
  const why = nodeLabel(node);
  const pinNode = () => pin([...inputs, ...outputs], why);
  if (opType === 'Constant' && stored(y) !== undefined) return true;
  if (CHANNELS_FIRST.has(opType)) visitor.first.add(x).add(y);
  if (readsShape(node)) pin(outputs, why);
  else if (domain !== '' || outputs.length !== 1) pinNode();
  else if (site !== undefined && site.inner === undefined) {
    pin(
      inputs.filter((name) => name !== inputOf(site)),
      why,
    );
    join(inputOf(site), y, why);
  } else if (LAYERS.has(opType)) {
    if (opType === 'MatMul' || opType === 'Gemm') visitor.last.add(x).add(y);
    const slots = inputs.flatMap((name, slot) => (slot > 0 && name !== '' ? [slot] : []));
    const isInference = opType !== 'BatchNormalization' || slotsAfter(node, 0, graph) !== undefined;
    const taken =
      isInference && stored(x) === undefined && slots.map((slot) => take(node, slot)).every(Boolean);
    if (!taken) pinNode();
  } else if (UNARY.has(opType) && isHomogeneous(node, graph, index)) {
    if ((attribute(node, 'axis')?.i ?? 1) !== 1) pinNode();
    else {
      join(x, y, why);
      pin(inputs.slice(1), why);
    }
  } else if (REDUCTIONS.has(opType)) visitReduction(visitor, node, axes ?? []);
  else if (opType === 'Reshape' && isFlattening(visitor, y)) join(x, y, why);
  else if (JOINT.has(opType)) {
    for (const [slot, name] of inputs.entries()) {
      if (stored(name) === undefined) join(name, y, why);
      else if ((opType !== 'Add' && opType !== 'Sub') || !take(node, slot)) pinNode();
    }
  } else if (opType === 'Mul' && inputs.length === 2) {
    const slot = inputs.findIndex((name) => stored(name) !== undefined);
    if (slot < 0) return false;
    if (elementCount(stored(inputs[slot] ?? '')?.tensor.dims ?? []) === 1)
      join(slot === 0 ? second : x, y, why);
    else if (!take(node, slot)) pinNode();
  } else if (opType !== 'Concat' || !visitConcat(visitor, node)) pinNode();
  return true;
}

/** Notes a concatenation along the channels, which are axis 1 or the last one. Returns false for any other. */
function visitConcat({ concatenations, first, last, number, stored }: ChannelVisitor, node: Node): boolean {
  const { inputs, outputs } = node;
  const axis = attribute(node, 'axis')?.i ?? 1;
  if (![1, 3, -1].includes(axis) || inputs.some((name) => stored(name) !== undefined)) return false;
  for (const name of [...inputs, ...outputs]) (axis === 1 ? first : last).add(name);
  concatenations.push({ output: number(outputs[0] ?? ''), parts: inputs.map(number), why: nodeLabel(node) });
  return true;
}

/** A product with a gate, whose scale is fixed, has the scales of the other factor. */
function visitGate({ reason, number, join, pin }: ChannelVisitor, node: Node): void {
  const [a = '', b = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const why = nodeLabel(node);
  if (reason(number(a)) !== undefined) join(b, y, why);
  else if (reason(number(b)) !== undefined) join(a, y, why);
  else pin([a, b, y], why);
}

/** A reduction over axis 1 needs channels on the last axis. */
function visitReduction(visitor: ChannelVisitor, node: Node, axes: readonly number[]): void {
  const [x = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const isOverOne = axes.length === 1 && axes[0] === 1;
  if (!isOverOne && (axes.length === 0 || axes.some((axis) => axis === 0 || axis === 1 || axis < -2))) {
    visitor.pin([x, y], nodeLabel(node));
    return;
  }
  if (isOverOne) visitor.overOne.add(x);
  else if (axes.some((axis) => axis !== -2)) visitor.first.add(x);
  visitor.join(x, y, nodeLabel(node));
}

/** Returns whether only dense layers read a tensor: a Reshape before them puts the elements of each channel side by side. */
function isFlattening({ index, graph }: ChannelVisitor, name: string): boolean {
  const uses = index.uses(graph, name);
  const isDense = (use: (typeof uses)[number]) =>
    use.kind === 'input' && use.slot === 0 && (use.node.opType === 'Gemm' || use.node.opType === 'MatMul');
  return uses.length > 0 && uses.every(isDense);
}

/** Slot of a BatchNormalization's mean, which goes with the input. */
const MEAN_SLOT = 3;

/** Returns the tensor with whose scale a weight grows, and the tensor that a node reads besides the weight. */
function ends({ opType, inputs, outputs }: Node, slot: number): [up: string, down: string] {
  const hasTwo = opType === 'Add' || opType === 'Sub' || opType === 'Mul';
  const x = (hasTwo ? inputs[1 - slot] : inputs[0]) ?? '';
  return [opType === 'BatchNormalization' && slot === MEAN_SLOT ? x : (outputs[0] ?? ''), x];
}

/** Returns the axes of reductions, as the model stores them. */
async function reducedAxes(document: OnnxDocument, index: GraphIndex) {
  const { graph } = document;
  const found = new Map<Node, readonly number[]>();
  for (const node of graph.nodes) {
    if (!REDUCTIONS.has(node.opType)) continue;
    const [, name = ''] = node.inputs;
    const tensor = graph.initializers.get(name) ?? tensorOfConstant(index.producer(graph, name));
    const axes = attribute(node, 'axes')?.ints ?? (await readNumbers(document, tensor));
    if (axes !== undefined) found.set(node, axes);
  }
  return found;
}
