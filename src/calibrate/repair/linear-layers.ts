import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';
import { namesInside } from '../../onnx/extract.js';
import type { GraphIndex, Use } from '../../onnx/graph-index.js';
import { usesBatchStatistics } from '../../onnx/inference-edits.js';
import { behindIdentity, numberUses } from '../../onnx/number-uses.js';
import { type Weight, weightOf } from '../../onnx/weights.js';
import { addOutputs, followBodies, type SkippedLayer } from './body-layers.js';

/** Operators that are linear in their first input, with weights that least squares can solve. */
export type LinearOp = 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul' | 'BatchNormalization';

/** A node that applies a layer's weights. */
export interface LayerUse {
  readonly node: Node;
  /** Name of the input tensor. */
  readonly x: string;
  /** Name of the output tensor, after the bias. */
  readonly y: string;
}

/** A layer whose weights can be repaired. */
export interface LinearLayer extends LayerUse {
  readonly label: string;
  readonly op: LinearOp;
  /** Later nodes with the same weights, as in networks with two towers or one head for several maps. */
  readonly others?: readonly LayerUse[];
  /** Whether what one node gives reaches another, as where a network applies a block several times. */
  readonly isRepeated?: boolean;
  readonly weight: Weight;
  /** Undefined for a layer without a bias, which can get a bias. */
  readonly bias: Weight | undefined;
  /** BatchNormalization's mean and variance. */
  readonly statistics?: readonly [mean: Weight, variance: Weight];
}

/** Layers of a graph that can be repaired, in topological order, and layers that cannot. */
export interface LinearLayers {
  readonly layers: readonly LinearLayer[];
  readonly leftAlone: readonly SkippedLayer[];
  /** Nodes that cannot be repaired, since something else reads their weights or bias as well. */
  readonly sharing: readonly SharingNode[];
}

/** A node whose weights or bias something else reads as well. */
export interface SharingNode {
  readonly node: Node;
  /** Name of the bias. */
  readonly bias: string;
}

const OPS: ReadonlySet<string> = new Set<LinearOp>([
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'BatchNormalization',
]);

/** Returns the nodes that apply a layer's weights. */
export const usesOf = (layer: LinearLayer): readonly LayerUse[] => [layer, ...(layer.others ?? [])];

/**
 * Finds the linear layers of the main graph that the tensors of `changed`, the sites' outputs, affect. The layers are in
 * the order of the graph, which ONNX requires to be topological. Nodes that apply the same weights in the same way are one layer,
 * at the place of the first. Weights that something else reads as well are not repaired: a solution for the layer may not fit that.
 */
export function linearLayers(
  document: OnnxDocument,
  index: GraphIndex,
  changed: ReadonlySet<string>,
): LinearLayers {
  const { graph } = document;
  const reached = new Set(changed);
  const inside = namesInside(document);
  const bodies = followBodies(document, changed, ({ domain, opType }) => domain === '' && OPS.has(opType));
  const uses = useCounter(graph, index);
  const layers: FoundLayer[] = [];
  const given = new Set<string>();
  const leftAlone: SkippedLayer[] = [];
  const sharing: SharingNode[] = [];
  for (const node of graph.nodes) {
    // A node with bodies also reads the tensors that its bodies read.
    const reads = [...node.inputs, ...(inside.get(node) ?? [])].some((name) => reached.has(name));
    if (!reads && !bodies.changes(node)) continue;
    addOutputs(node, reached);
    if (node.domain !== '' || !OPS.has(node.opType) || isOfForm(node, graph, index)) continue;
    // A BatchNormalization directly after a layer: solving that layer is enough.
    if (node.opType === 'BatchNormalization' && given.has(node.inputs[0] ?? '')) continue;
    const layer = layerOf(node, graph, index, uses);
    if (typeof layer === 'string') leftAlone.push({ label: nodeLabel(node), op: node.opType, why: layer });
    else if ('sharedWith' in layer) {
      sharing.push({ node, bias: behindIdentity(index, graph, node.inputs[2] ?? '') });
      leftAlone.push({ label: nodeLabel(node), op: node.opType, why: layer.sharedWith });
    } else if (reached.has(layer.x)) {
      layers.push(layer);
      given.add(layer.y);
    }
  }
  const { whole, parts } = joined(layers, graph);
  for (const { node, label, op, weight, bias } of parts) {
    sharing.push({ node, bias: bias?.name ?? '' });
    leftAlone.push({ label, op, why: readElsewhere('weights', weight) });
  }
  return { layers: whole, leftAlone: [...leftAlone, ...bodies.layers(reached)], sharing };
}

/** A node as a layer, with the number of nodes that apply its weights in the same way. */
interface FoundLayer extends LinearLayer {
  readonly users: number;
}

/** Joins nodes with the same weights into layers, `whole`. If some node that applies the weights was not found, the others are `parts`. */
function joined(found: readonly FoundLayer[], graph: Scope): { whole: LinearLayer[]; parts: LinearLayer[] } {
  const groups = new Map<string, FoundLayer[]>();
  for (const layer of found) {
    const group = groups.get(layer.weight.name);
    if (group === undefined) groups.set(layer.weight.name, [layer]);
    else group.push(layer);
  }
  const [whole, parts]: [LinearLayer[], LinearLayer[]] = [[], []];
  for (const [{ users, ...first }, ...rest] of groups.values() as Iterable<[FoundLayer, ...FoundLayer[]]>) {
    const isWhole = rest.length + 1 === users && rest.every(({ bias }) => bias?.name === first.bias?.name);
    if (!isWhole) parts.push(first, ...rest);
    else if (rest.length === 0) whole.push(first);
    else whole.push({ ...first, others: rest.map(({ node, x, y }) => ({ node, x, y })) });
  }
  let left = MAX_FOLLOWED;
  const isRepeated = (layer: LinearLayer) => left-- <= 0 || reachesItself(layer, graph);
  return {
    whole: whole.map((one) => (one.others === undefined ? one : { ...one, isRepeated: isRepeated(one) })),
    parts,
  };
}

/** Maximum number of layers with several nodes that are followed through the graph; others count as repeated. */
const MAX_FOLLOWED = 200;

/** Returns whether an output of a layer's nodes reaches the input of another. */
function reachesItself(layer: LinearLayer, { nodes }: Scope): boolean {
  const uses = usesOf(layer);
  const reached = new Set(uses.map(({ y }) => y));
  for (const node of nodes) if (node.inputs.some((name) => reached.has(name))) addOutputs(node, reached);
  return uses.some(({ x }) => reached.has(x));
}

const readElsewhere = (what: string, { name }: Weight) =>
  `its ${what} '${name}' ${what === 'bias' ? 'is' : 'are'} read in other places as well`;

/** Why a layer cannot be repaired that shares its weights or its bias. */
interface Sharing {
  readonly sharedWith: string;
}

/** Returns whether a node is the BatchNormalization of an approximate form, whose constants come from ConstantOfShape. */
function isOfForm({ opType, inputs }: Node, scope: Scope, index: GraphIndex): boolean {
  const maker = opType === 'BatchNormalization' ? index.producer(scope, inputs[1] ?? '') : undefined;
  return maker?.opType === 'ConstantOfShape';
}

/** Attributes of the layers' operators that say how weights are applied; windows may differ. */
const APPLICATION = ['group', 'transA', 'transB', 'alpha', 'beta'] as const;

/** Counts the nodes that read weights. It looks at each weight once: thousands of nodes may share one. */
interface UseCounter {
  /** Returns how many nodes apply weights, or undefined if something else reads them or applies them in another way. */
  users(weight: Weight): number | undefined;
  /** Returns the number of all readers. */
  all(weight: Weight): number;
}

function useCounter(scope: Scope, index: GraphIndex): UseCounter {
  const known = new Map<string, { readonly all: number; readonly users: number | undefined }>();
  const application = (one: Node) =>
    JSON.stringify([
      ...[one.opType, one.domain, behindIdentity(index, scope, one.inputs[2] ?? '')],
      ...APPLICATION.map((name) => [attribute(one, name)?.i ?? null, attribute(one, name)?.f ?? null]),
    ]);
  const areAlike = (uses: readonly Use[]) => {
    const ways = new Set<string>();
    for (const use of uses) {
      if (use.kind !== 'input' || use.scope !== scope || use.slot !== 1) return false;
      ways.add(application(use.node));
    }
    return ways.size === 1;
  };
  const count = ({ home, name }: Weight) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const uses = numberUses(index, home, name);
    const made = { all: uses.length, users: uses.length === 1 || areAlike(uses) ? uses.length : undefined };
    known.set(name, made);
    return made;
  };
  return { users: (weight) => count(weight).users, all: (weight) => count(weight).all };
}

/** Returns a node as a layer, or the reason why the node cannot be repaired. */
function layerOf(
  node: Node,
  scope: Scope,
  index: GraphIndex,
  uses: UseCounter,
): FoundLayer | Sharing | string {
  const op = node.opType as LinearOp;
  const [x = '', second = ''] = node.inputs;
  const y = node.outputs[0] ?? '';
  const stored = (name: string) => weightOf(index, scope, behindIdentity(index, scope, name));
  const weight = stored(second);
  if (weight === undefined) return notStored(second, scope, index);
  const rank = weight.tensor.dims.length;
  const expected = { Conv: rank >= 3, ConvTranspose: rank >= 3, BatchNormalization: rank === 1 };
  if (!((expected as Record<string, boolean>)[op] ?? rank === 2)) return `its weights have rank ${rank}`;
  const users = uses.users(weight);
  if (users === undefined || (users > 1 && op === 'BatchNormalization'))
    return { sharedWith: readElsewhere('weights', weight) };
  const shared = (tensor: Weight) => uses.all(tensor) > users;
  const base = { node, label: nodeLabel(node), op, x, y, weight, users };
  if (op === 'MatMul') return matMul(base, scope, index, uses);
  if (op === 'Gemm' && (attribute(node, 'transA')?.i ?? 0) !== 0) return 'its input is transposed';
  if (op === 'Gemm' && (attribute(node, 'alpha')?.f === 0 || attribute(node, 'beta')?.f === 0))
    return 'its alpha or beta is 0';
  if (op === 'BatchNormalization') {
    const [bias, mean, variance] = node.inputs.slice(2).map(stored);
    if (bias === undefined || mean === undefined || variance === undefined)
      return 'its statistics are not constant';
    if (usesBatchStatistics(node)) return 'it is in training mode';
    if (shared(bias)) return { sharedWith: readElsewhere('bias', bias) };
    return { ...base, bias, statistics: [mean, variance] };
  }
  const third = node.inputs[2] ?? '';
  if (third === '') return { ...base, bias: undefined };
  const bias = stored(third);
  if (bias === undefined) return 'its bias is not constant';
  if (shared(bias)) return { sharedWith: readElsewhere('bias', bias) };
  const { dims } = bias.tensor;
  const fits = dims.length === 1 && (op !== 'Gemm' || dims[0] === gemmOutputs(node, weight));
  return fits ? { ...base, bias } : `its bias has the shape [${dims}]`;
}

/** Returns why an input is not a stored weight. */
function notStored(name: string, scope: Scope, index: GraphIndex): string {
  const home = index.home(scope, name);
  const maker = home && index.producer(home, name);
  if (maker === undefined || maker.opType === 'Constant') return 'its weights are not constant floats';
  return `its weights are not constant floats: ${maker.opType} makes '${name}' of '${maker.inputs[0] ?? ''}'`;
}

function gemmOutputs(node: Node, { tensor }: Weight): number {
  return tensor.dims[(attribute(node, 'transB')?.i ?? 0) === 0 ? 1 : 0] ?? 0;
}

/** Adds the bias of a MatMul: the constant of an Add that is the only reader of the MatMul's output. */
function matMul(
  base: Omit<FoundLayer, 'bias'>,
  scope: Scope,
  index: GraphIndex,
  counter: UseCounter,
): FoundLayer {
  const uses = index.uses(scope, base.y);
  const [use] = uses;
  const [, columns] = base.weight.tensor.dims;
  if (uses.length !== 1 || use?.kind !== 'input' || use.scope !== scope || use.node.opType !== 'Add')
    return { ...base, bias: undefined };
  const bias = weightOf(index, scope, behindIdentity(index, scope, use.node.inputs[1 - use.slot] ?? ''));
  const { dims } = bias?.tensor ?? { dims: [] };
  const fits =
    bias !== undefined &&
    dims.at(-1) === columns &&
    dims.slice(0, -1).every((dim) => dim === 1) &&
    counter.all(bias) === base.users;
  return fits ? { ...base, bias, y: use.node.outputs[0] ?? '' } : { ...base, bias: undefined };
}
