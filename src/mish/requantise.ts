import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type Scope } from '../onnx/document.js';
import type { Use } from '../onnx/graph-index.js';
import { depthOf } from './activation-kinds.js';
import type { Int8Way } from './int8-ways.js';
import {
  integersOf,
  isDequantizer,
  isEightBit,
  isQuantizer,
  QUANTIZED_LAYERS,
  type Quantization,
  quantizationFor,
  quantizationObstacle,
  quantizationOf,
  type Range,
  rangeOf,
} from './quantization.js';
import { createReach, directlyReached, isShapeUse, type Reach, type Reached } from './quantized-reach.js';
import { mish } from './reference.js';
import type { MishNode } from './rewrite.js';
import { inputOf, type Site } from './site.js';
import { wordSet } from './use-moves.js';

/** A site with what is to be written there. */
export type QuantizedSite = Site & MishNode;

/** A site between quantised tensors, and how its input is quantised. */
export interface PlacedSite {
  readonly site: QuantizedSite;
  /** The QuantizeLinear nodes that the site reaches. */
  readonly reached: readonly Reached[];
  /** The DequantizeLinear node before the site. */
  readonly before: Node | undefined;
  /** The QuantizeLinear node before that, if the site alone reads it. */
  readonly source: Node | undefined;
  /** Quantisation of the site's input; undefined for a float input. */
  input: Quantization | undefined;
  /** Whether `input` needs a new QuantizeLinear and DequantizeLinear before the site. */
  readonly isNew: boolean;
  /** Whether ONNX Runtime's operators on integers compute the site. */
  onIntegers: boolean;
}

/** A QuantizeLinear node with a new quantisation, and the DequantizeLinear nodes after it. */
export interface NewScale {
  readonly scope: Scope;
  readonly quantization: Quantization;
  readonly dequantizers: ReadonlySet<Node>;
}

/** Ranges that samples gave, in place of those that follow from the old scales. */
export interface MeasuredRanges {
  /** Ranges by the output of a QuantizeLinear node, and by the float input of a site that gets a new QuantizeLinear. */
  readonly byName: ReadonlyMap<string, Range>;
  /** New scales of QuantizeLinear nodes that no site needs. */
  readonly more: ReadonlyMap<Node, NewScale>;
}

export interface Requantisation {
  readonly placed: readonly PlacedSite[];
  readonly rescaled: ReadonlyMap<Node, NewScale>;
  /** The reason for each open site that cannot be requantised. */
  readonly refused: ReadonlyMap<QuantizedSite, string>;
}

/** Operators that may bound the input of a site. */
const BOUNDS = wordSet('Clip Min Max');
/** Largest negative input that a quantisation before Mish holds. */
const MAX_REACH = 12;

/** The range that a QuantizeLinear node needs for the sites around it. */
interface Need {
  readonly scope: Scope;
  readonly old: Quantization;
  readonly dequantizers: Set<Node>;
  /** Whether the range stays and is widened; otherwise it starts at the depth of Mish. */
  keeps: boolean;
  /** Sum of the depths of the sites that reach it, each times the factors of products in between. */
  total: number;
  /** Sum of the rises that follow from these depths. */
  rise: number;
  /** The greatest of these depths. */
  deepest: number;
  /** The negative input that Mish needs. */
  reach: number;
}

/** Returns the size of the input below which Mish of a sharpness is closer to 0 than half a step of its output. */
export function reachOf(step: number, beta: number): number {
  const most = MAX_REACH / beta;
  for (let reach = 2 / beta; reach < most; reach += 0.25 / beta)
    if (Math.abs(mish(-reach, beta)) <= step / 2) return reach;
  return most;
}

/**
 * Plans new scales around sites. Mish is never above ReLU, and never below -0.309: its range follows from ReLU's. Scales of
 * sums with other values become wider; scales after the next layer stay. A site that cannot be requantised is not written. It is among
 * the refused ones if it is `isOpen`.
 */
export function planRequantisation(
  { index, calls }: Analysis,
  sites: readonly QuantizedSite[],
  isOpen: (site: QuantizedSite) => boolean,
  way: Int8Way,
  measured?: MeasuredRanges,
): Requantisation {
  const reach: Reach = createReach(index, calls);
  const needs = new Map<Node, Need>();
  const refused = new Map<QuantizedSite, string>();
  const placed: PlacedSite[] = [];

  const needOf = (node: Node, scope: Scope, old: Quantization): Need => {
    const known = needs.get(node);
    if (known !== undefined) return known;
    const need = {
      scope,
      old,
      dequantizers: new Set<Node>(),
      keeps: false,
      total: 0,
      rise: 0,
      deepest: 0,
      reach: 0,
    };
    needs.set(node, need);
    return need;
  };

  for (const site of sites) {
    const found = reach(site.scope, resultOf(site));
    const place = typeof found === 'string' ? found : placeOf(site, found, index, measured);
    if (typeof place === 'string') {
      if (isOpen(site)) refused.set(site, place);
    } else if (place !== undefined) placed.push(place);
  }
  for (const { site, reached, before, source, input, isNew } of placed) {
    const depth = depthOf('mish') / site.beta;
    for (const { node, quantization, dequantizers, joined, change } of reached) {
      const need = needOf(node, site.scope, quantization);
      for (const one of dequantizers) need.dequantizers.add(one);
      if (joined) need.keeps = true;
      need.total += depth * change.fall;
      need.rise += depth * change.rise;
      need.deepest = Math.max(need.deepest, depth);
    }
    if (isNew || input === undefined || source === undefined || before === undefined) continue;
    const need = needOf(source, site.scope, input);
    need.dequantizers.add(before);
    if (need.total === 0) need.keeps = true;
    need.reach = Math.max(need.reach, reachOf(stepOf(reached, site.beta), site.beta));
  }
  const rescaled = new Map<Node, NewScale>([...(measured?.more ?? [])].filter(([node]) => !needs.has(node)));
  for (const [node, { scope, old, dequantizers, keeps, total, rise, deepest, reach: lowest }] of needs) {
    const { least, most } = rangeOf(old);
    const seen = measured?.byName.get(node.outputs[0] ?? '');
    const range = seen
      ? { most: seen.most, least: total === 0 ? Math.max(seen.least, -lowest) : seen.least }
      : { most: most + rise, least: Math.min(keeps ? least - total : -deepest, -lowest) };
    const isEnough = seen === undefined && total === 0 && rise === 0 && least <= -lowest;
    const quantization = (isEnough ? undefined : quantizationFor(range, old)) ?? old;
    if (quantization !== old) rescaled.set(node, { scope, quantization, dequantizers });
  }
  for (const place of placed) {
    const { source } = place;
    const now = source === undefined ? undefined : rescaled.get(source);
    if (now !== undefined) place.input = now.quantization;
    place.onIntegers = way === 'qlinear' && fitsQlinear(place, index);
  }
  return { placed, rescaled, refused };
}

/** Returns the name of the float that a site computes; a QuantizeLinear node is a site that clips its own input. */
const resultOf = (site: QuantizedSite) =>
  site.node.opType === 'QuantizeLinear' ? inputOf(site) : (site.node.outputs[0] ?? '');

/** Returns the step of Mish's output, the finest if it is quantised several times. */
function stepOf(reached: readonly Reached[], beta: number): number {
  const steps = reached
    .filter(({ joined }) => !joined)
    .map(({ quantization }) => {
      const [low, high] = integersOf(quantization.elemType);
      return (rangeOf(quantization).most + depthOf('mish') / beta) / (high - low);
    });
  return Math.min(1, ...steps);
}

/**
 * Decides how the input of a site is quantised. Undefined if nothing quantises its result; otherwise the place, or the reason
 * why the site cannot be written.
 */
function placeOf(
  site: QuantizedSite,
  reached: readonly Reached[],
  index: Analysis['index'],
  measured: MeasuredRanges | undefined,
): PlacedSite | string | undefined {
  if (reached.length === 0) return undefined;
  const { scope, node, kind, beta, leak } = site;
  if (kind !== 'relu' && kind !== 'leakyrelu')
    return `new scales need Relu or LeakyRelu, and this is ${kind}`;
  if (leak !== undefined) return 'a mixture has no lower bound, which its scale needs';
  for (const { node: quantizer, quantization, joined } of reached)
    if (!joined && rangeOf(quantization).most <= 0)
      return `the scale of ${nodeLabel(quantizer)} holds no positive number`;
  const x = inputOf(site);
  const before = node.opType === 'QuantizeLinear' ? undefined : index.producer(scope, x);
  const lowest = reachOf(stepOf(reached, beta), beta);
  if (isDequantizer(before)) {
    const input = quantizationOf(index, scope, before);
    if (input === undefined) return quantizationObstacle(index, scope, before);
    const source = index.producer(scope, before.inputs[0] ?? '');
    const isAlone =
      isQuantizer(source) &&
      index.uses(scope, source.outputs[0] ?? '').length === 1 &&
      index.uses(scope, x).filter((use) => !isShapeUse(use)).length === 1;
    if (rangeOf(input).least > -lowest && !isAlone)
      return `${nodeLabel(before)} holds no number below ${rangeOf(input).least.toPrecision(3)}, and other nodes read its input`;
    return {
      site,
      reached,
      before,
      source: isAlone ? source : undefined,
      input,
      isNew: false,
      onIntegers: false,
    };
  }
  const layer = index.producer(scope, x);
  if (layer?.domain === '' && BOUNDS.has(layer.opType)) return `${nodeLabel(layer)} bounds its input`;
  const first = layer && index.producer(scope, layer.inputs[0] ?? '');
  const isQuantized = layer?.domain === '' && QUANTIZED_LAYERS.has(layer.opType) && isDequantizer(first);
  const output = directlyReached(reached)[0]?.quantization;
  const readers = new Set([node, ...directlyReached(reached).map((one) => one.node)]);
  const isRead = (use: Use) => isShapeUse(use) || (use.kind === 'input' && readers.has(use.node));
  const takesQuantizer = isQuantized && output !== undefined && index.uses(scope, x).every(isRead);
  const seen = measured?.byName.get(x);
  const range = seen
    ? { least: Math.max(seen.least, -lowest), most: seen.most }
    : { least: -lowest, most: output ? rangeOf(output).most : 0 };
  const input = takesQuantizer && output ? quantizationFor(range, output) : undefined;
  return {
    site,
    reached,
    before: undefined,
    source: undefined,
    input,
    isNew: input !== undefined,
    onIntegers: false,
  };
}

/** Returns whether ONNX Runtime's operators on integers can compute a site. */
function fitsQlinear({ site, reached, input }: PlacedSite, index: Analysis['index']): boolean {
  const [only, more] = directlyReached(reached);
  if (only === undefined || more !== undefined || input === undefined || site.scope.root.kind !== 'graph')
    return false;
  const y = resultOf(site);
  const types = [input.type, only.quantization.type];
  return (
    types.every((type) => type === 'f32') &&
    only.node.inputs[0] === y &&
    index.uses(site.scope, y).length === 1 &&
    isEightBit(input.elemType) &&
    input.elemType === only.quantization.elemType
  );
}
