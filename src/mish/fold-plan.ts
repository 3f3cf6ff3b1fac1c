import { OnnxMishError } from '../base/error.js';
import { type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { floatValues, ROUNDING, roundTo } from '../onnx/scalar.js';
import type { Edit } from '../onnx/splice.js';
import type { FloatType } from '../onnx/types.js';
import { type OpenData, readWeight, type Weight, weightEdit, weightOf } from '../onnx/weights.js';
import {
  isHomogeneous,
  isJointlyHomogeneous,
  readsShape,
  type Slots,
  slotsAfter,
  slotsBefore,
} from './homogeneous.js';

// mish_b(x) = x tanh(softplus(b x)) = mish(b x) / b, and likewise for a mixture. If all nodes between the activation and its
// linear layers are positively homogeneous, weights before it can take b and weights after it 1/b. Mish with sharpness 1
// remains. Cross-layer equalisation does the same with scales: Nagel et al. 2019, arXiv:1906.04721.

/** An activation whose sharpness the weights around it could take. */
export interface Foldable {
  readonly scope: Scope;
  /** The nodes that compute the activation. No other node may read their outputs, except the last node's. */
  readonly nodes: ReadonlySet<Node>;
  readonly x: string;
  readonly y: string;
  readonly beta: number;
  readonly type: FloatType | undefined;
}

/** Result of planning: the activations that lose their sharpness, the others, and the new weights. */
export interface Folding<T> {
  readonly folded: ReadonlySet<T>;
  /** The other activations, each with its reason as a sentence fragment. */
  readonly kept: ReadonlyMap<T, string>;
  /** The weights with their new values. */
  readonly edits: readonly Edit[];
}

/** A weight at an input of a node; it takes an activation's sharpness, or the reciprocal. */
interface Share {
  readonly weight: Weight;
  readonly node: Node;
  readonly slot: number;
  readonly way: 'up' | 'down';
}

interface Context {
  readonly document: OnnxDocument;
  readonly index: GraphIndex;
  /** Nodes that will change or belong to a Mish; a scale does not pass through them. */
  readonly blocked: ReadonlySet<Node>;
}

/** Finds which of these activations can move their sharpness into weights together. Reads those weights. */
export async function planFolds<T extends Foldable>(
  context: Context,
  sites: readonly T[],
  openData: OpenData | undefined,
): Promise<Folding<T>> {
  const shares = new Map<T, readonly Share[]>();
  const kept = new Map<T, string>();
  for (const site of sites) {
    const found = sharesOf(context, site);
    if (typeof found === 'string') kept.set(site, found);
    else shares.set(site, found);
  }
  const { document } = context;
  const known = new Map<Weight['tensor'], Float64Array | string>();
  const read = async (weight: Weight) => {
    const values = known.get(weight.tensor) ?? (await readScalable(document, weight, openData));
    known.set(weight.tensor, values);
    return values;
  };
  // If a weight cannot take its factor, its sites are not folded. Their factors are then dropped at other weights.
  for (;;) {
    const scaled: [Weight, Float64Array][] = [];
    const failed = new Map<T, string>();
    for (const { weight, factor, of } of factors(shares, context.index)) {
      if (factor === 1) continue; // the factors of two sites cancel
      const values = factor === undefined ? `other nodes read '${weight.name}'` : await read(weight);
      const result = typeof values === 'string' ? values : scaleWeight(values, factor ?? 1, weight);
      if (typeof result !== 'string') scaled.push([weight, result]);
      else for (const site of of) failed.set(site, result);
    }
    if (failed.size === 0) {
      const edits: Edit[] = [];
      for (const [weight, values] of scaled) edits.push(await weightEdit(document, weight, values));
      return { folded: new Set(shares.keys()), kept, edits };
    }
    for (const [site, why] of failed) {
      shares.delete(site);
      kept.set(site, why);
    }
  }
}

/** Returns the weights that would take a site's sharpness, or the reason why there are none. */
function sharesOf(context: Context, site: Foldable): readonly Share[] | string {
  const { document, index } = context;
  if (site.scope !== document.graph) return 'it is not in the main graph';
  for (const node of site.nodes) {
    for (const name of node.outputs) {
      const inside = (use: { readonly kind: string; readonly node?: Node }) =>
        use.node !== undefined && site.nodes.has(use.node);
      if (name !== site.y && !index.uses(site.scope, name).every(inside))
        return `its inner value '${name}' has other readers`;
    }
  }
  const before = sharesBefore(context, site);
  if (typeof before === 'string') return before;
  const after = sharesAfter(context, site.y);
  return typeof after === 'string' ? after : [...before, ...after];
}

/** Walks up from a site's input to the linear node that computes it. */
function sharesBefore(context: Context, { x, nodes }: Foldable): readonly Share[] | string {
  const { document, index, blocked } = context;
  const { graph } = document;
  const shares: Share[] = [];
  let name = x;
  let readers = nodes;
  for (;;) {
    const value = name;
    const only = index
      .uses(graph, value)
      .every((use) => use.kind === 'input' && use.scope === graph && readers.has(use.node));
    if (!only) return `'${value}' before it has other readers`;
    const node = index.producer(graph, value);
    if (node === undefined) return `it follows '${value}', an input or a constant`;
    if (blocked.has(node)) return `it follows an activation, ${label(node)}`;
    const linear = firstOwned(context, node);
    if (typeof linear !== 'string') return [...shares, ...linear];
    const term = isJointlyHomogeneous(node) ? constantTerm(context, node) : undefined;
    if (term !== undefined) shares.push(term.share);
    else if (!isHomogeneous(node, graph, index)) return linear;
    name = (term === undefined ? node.inputs[0] : node.inputs[term.data]) ?? '';
    readers = new Set([node]);
  }
}

/** Walks down from a site's output to all direct and indirect readers. */
function sharesAfter(context: Context, y: string): readonly Share[] | string {
  const { document, index, blocked } = context;
  const { graph } = document;
  const shares: Share[] = [];
  const seen = new Set<string>();
  const open = [y];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const use of index.uses(graph, name)) {
      if (use.kind === 'output') return `its result reaches an output of the model, '${name}'`;
      const { node, slot } = use;
      if (readsShape(node)) continue;
      const where = `its result reaches ${label(node)}`;
      if (use.scope !== graph) return `${where}, in ${use.scope.path}`;
      if (blocked.has(node)) return `${where}, an activation, with no weights between`;
      const slots = slotsAfter(node, slot, graph);
      const taken = slots && owned(context, node, slots);
      if (typeof taken === 'string') return `${where}, ${taken}`;
      if (taken !== undefined) {
        shares.push(...taken);
        continue;
      }
      const term = isJointlyHomogeneous(node) ? constantTerm(context, node) : undefined;
      if (term !== undefined && term.data === slot) shares.push(term.share);
      else if (slot !== 0 || !isHomogeneous(node, graph, index)) return where;
      open.push(node.outputs[0] ?? '');
    }
  }
  return shares;
}

/** Returns the first usable weights of a linear node, or the reason why there are none. */
function firstOwned(context: Context, node: Node): readonly Share[] | string {
  let why = `it follows ${label(node)}`;
  for (const slots of slotsBefore(node, context.document.graph)) {
    const found = owned(context, node, slots);
    if (typeof found !== 'string') return found;
    why = `it follows ${label(node)}, ${found}`;
  }
  return why;
}

/** Returns the weights at these slots of a node; an absent input needs none. */
function owned(context: Context, node: Node, { up, down }: Slots): readonly Share[] | string {
  const shares: Share[] = [];
  for (const [slots, way] of [
    [up, 'up'],
    [down, 'down'],
  ] as const) {
    for (const slot of slots) {
      const name = node.inputs[slot] ?? '';
      if (name === '' && slot > 1) continue;
      const weight = ownWeight(context, name);
      if (typeof weight === 'string') return weight;
      shares.push({ weight, node, slot, way });
    }
  }
  return shares;
}

/** Returns the constant operand of a jointly homogeneous node and the slot of the other operand; undefined without one. */
function constantTerm(context: Context, node: Node): { share: Share; data: number } | undefined {
  const [first, second] = node.inputs.map((name) => ownWeight(context, name));
  const term = (weight: Weight, slot: number) => {
    return { share: { weight, node, slot, way: 'up' } as const, data: 1 - slot };
  };
  if (typeof first === 'object' && typeof second === 'string') return term(first, 0);
  if (typeof second === 'object' && typeof first === 'string') return term(second, 1);
  return undefined;
}

/** Returns a constant that no input can override, or the reason why the value is not one. */
function ownWeight({ document, index }: Context, name: string): Weight | string {
  const { graph, irVersion } = document;
  const weight = weightOf(index, graph, name);
  if (weight === undefined) return `whose '${name}' is not constant`;
  // Before IR 4 initializers had to be inputs as well.
  if (irVersion >= 4 && index.isInput(graph, name)) return `whose '${name}' is an input of the model as well`;
  return weight;
}

interface Factor<T> {
  readonly weight: Weight;
  /** Undefined where readers of the weight need different factors. */
  readonly factor: number | undefined;
  readonly of: ReadonlySet<T>;
}

/** Returns the factor of each weight, for all sites together. */
function factors<T extends Foldable>(
  shares: ReadonlyMap<T, readonly Share[]>,
  index: GraphIndex,
): Factor<T>[] {
  const found = new Map<Weight['tensor'], { weight: Weight; readers: Map<string, Ratio>; of: Set<T> }>();
  for (const [site, list] of shares) {
    for (const { weight, way, node, slot } of list) {
      const entry = found.get(weight.tensor) ?? { weight, readers: new Map(), of: new Set() };
      found.set(weight.tensor, entry);
      entry.of.add(site);
      const reader = `${node.index} ${slot}`;
      const ratio = entry.readers.get(reader) ?? { up: 1, down: 1 };
      entry.readers.set(reader, ratio);
      ratio[way] *= sharpnessOf(site);
    }
  }
  return [...found.values()].map(({ weight, readers, of }) => {
    const wanted = [...readers.values()].map(({ up, down }) => up / down);
    const [factor = 1] = wanted;
    // Readers without a factor need the weight unchanged.
    const agree = index.uses(weight.home, weight.name).length === readers.size;
    return { weight, of, factor: agree && wanted.every((one) => one === factor) ? factor : undefined };
  });
}

type Ratio = { up: number; down: number };

/** Returns the sharpness as stored in the model, rounded to the element type. */
export function sharpnessOf({ beta, type }: Pick<Foldable, 'beta' | 'type'>): number {
  return type === undefined ? beta : roundTo(beta, type);
}

/** Reads a weight's elements, or returns the reason why they cannot be read. */
export async function readScalable(
  document: OnnxDocument,
  weight: Weight,
  openData: OpenData | undefined,
): Promise<Float64Array | string> {
  try {
    return await readWeight(document, weight, openData);
  } catch (error) {
    if (error instanceof OnnxMishError && (error.code === 'external-data' || error.code === 'malformed'))
      return error.what;
    throw error;
  }
}

/** Multiplies the values, or explains why their type cannot hold the products: overflow, or lost digits. */
export function scaleWeight(
  values: Float64Array,
  factor: number,
  { name, type }: Weight,
): Float64Array | string {
  const scaled = values.map((value) => value * factor);
  const held = floatValues(scaled, type);
  let lost = 0;
  let size = 0;
  for (const [index, value] of scaled.entries()) {
    lost += Math.abs((held[index] ?? 0) - value);
    size += Math.abs(value);
  }
  // NaN and Infinity fail this comparison.
  return lost <= ROUNDING[type] * size
    ? scaled
    : `${type} cannot hold the weights '${name}' times ${Number(factor.toPrecision(4))}`;
}

function label(node: Node): string {
  return node.name === '' ? nodeLabel(node) : `${node.opType} '${node.name}'`;
}
