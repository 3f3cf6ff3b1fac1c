import type { Analysis } from '../onnx/analysis.js';
import { type Node, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { ROUNDING } from '../onnx/scalar.js';
import { type FloatType, floatType } from '../onnx/types.js';
import { kindNamed, kindOf } from './activation-kinds.js';
import { constantChain, constantTensor, declaredDims } from './constants.js';
import { type Identity, identify, identifyPair } from './identify.js';
import { leastRank } from './least-rank.js';
import { createRegions, MAX_VALUES, type Region, type Regions, type Scalar } from './region.js';
import type { Site } from './site.js';
import type { ConstantShape } from './uniform.js';

/** An activation, or arithmetic, written out in several nodes. Mish, Swish, GELU and ReLU6 may be a single node. */
export interface WrittenActivation extends Identity {
  readonly scope: Scope;
  /** The node that computes the result. */
  readonly node: Node;
  /** Name of the input value. */
  readonly x: string;
  readonly type: FloatType | undefined;
  /** The other nodes, in no particular order. */
  readonly inner: readonly Node[];
  /** Names of the constants that the nodes read. */
  readonly constants: readonly string[];
  /** The reason why the nodes cannot be replaced. */
  readonly obstacle: Site['obstacle'];
}

/** Functions within this difference count as equal; if the constants are rounded more coarsely, that rounding applies. */
const TOLERANCE = 1e-6;

const ACTIVATIONS = new Set(['Relu', 'LeakyRelu', 'PRelu']);
const IDENTITIES = new Set(['Identity', 'Cast']);
const ARITHMETIC = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Neg',
  'Sum',
  'Pow',
  'Sqrt',
  'Reciprocal',
  'Log',
  'Not',
  'BatchNormalization',
  ...IDENTITIES,
]);
/** Flags of a node and all before it: an operator other than arithmetic; an operator other than a ReLU or an identity. */
const BENDS = 1;
const COMPOSES = 2;
/** Flags of a node: it may be part of a region; all its operands are scalar constants. */
const PART = 4;
const CONSTANT = 8;

const known = new WeakMap<GraphIndex, readonly WrittenActivation[]>();

/** Finds the written-out activations of all graphs and functions. Caches the result per analysis. */
export function findWritten(document: OnnxDocument, analysis: Analysis): readonly WrittenActivation[] {
  const { index } = analysis;
  let all = known.get(index);
  if (all === undefined) {
    const isInput = (scope: Scope, name: string) =>
      index.isInput(scope, name) && !scope.initializers.has(name);
    const defaults = { ...analysis, index: { ...index, isInput } };
    const regions = createRegions(document, defaults);
    const identities = new Map<number, Identity | null>();
    const overrides = (scope: Scope, name: string) => {
      const home = index.home(scope, name);
      return home !== undefined && index.isInput(home, name);
    };
    all = document.scopes.flatMap((scope) =>
      findIn(scope, defaults, regions, identities).map((written) => {
        const override = written.constants.find((name) => overrides(scope, name));
        if (override === undefined) return written;
        return { ...written, obstacle: ['overridable', whyOverridable(override)] as const };
      }),
    );
    known.set(index, all);
  }
  return all;
}

function findIn(
  scope: Scope,
  analysis: Analysis,
  regions: Regions,
  identities: Map<number, Identity | null>,
): WrittenActivation[] {
  const { index, types } = analysis;
  const leads = new Uint8Array(scope.nodes.length);
  for (const node of scope.nodes) {
    const { opType } = node;
    if (opType === 'Constant' || !regions.isPart(scope, node)) continue;
    let lead = PART | CONSTANT;
    if (!ARITHMETIC.has(opType)) lead |= BENDS;
    if (!ACTIVATIONS.has(opType) && !IDENTITIES.has(opType)) lead |= COMPOSES;
    const count = node.inputs.length;
    for (let slot = 0; slot < count; slot++) {
      const before = leads[index.source(scope, node, slot)?.index ?? -1] ?? 0;
      lead |= before & (BENDS | COMPOSES);
      if (!(lead & CONSTANT)) continue;
      const isAbsent = index.input(scope, node, slot) < 0;
      if (!(before & PART ? before & CONSTANT : isAbsent || regions.isScalarAt(scope, node, slot)))
        lead &= ~CONSTANT;
    }
    leads[node.index] = lead;
  }
  const canJoin = (node: Node) => ((leads[node.index] ?? 0) & (PART | CONSTANT)) === PART;
  const claimed = new Set<Node>();
  const isPrivate = createPrivacyTest(scope, index);
  const found: WrittenActivation[] = [];
  // Backwards, so that the last node comes before its predecessors.
  for (const node of scope.nodes.toReversed()) {
    if (leads[node.index] !== (BENDS | COMPOSES | PART) || claimed.has(node) || IDENTITIES.has(node.opType))
      continue;
    const written = match(node);
    if (written === undefined) continue;
    // An inner node with other readers may be a separate result, such as the Mish inside a sharpened Mish.
    const nodes = new Set([node, ...written.inner]);
    for (const inner of nodes) if (isPrivate(inner, nodes)) claimed.add(inner);
    if (isWanted(written, analysis.calls)) found.push(written);
  }
  return found.reverse();

  /** Finds the largest group of nodes that ends in this node and is a known activation: ReLU6 of a ReLU includes the ReLU. */
  function match(node: Node): WrittenActivation | undefined {
    let best: WrittenActivation | undefined;
    regions.eachEndingIn(scope, node, canJoin, (structure, regionOf) => {
      const known = identities.get(structure);
      if (known === null) return;
      const region = regionOf();
      const [y = ''] = node.outputs;
      const { nodes, operands } = region;
      const slopes =
        operands.length === 1 ? [] : operands.filter((name) => constantChain(index, scope, name).length > 0);
      const x = operands.find((name) => !slopes.includes(name));
      let identity = known;
      if (identity === undefined) {
        if (x !== undefined && (nodes.length > 1 || SINGLE.has(node.opType)))
          identity = identityOf(region, x, y, regions, slopes.length);
        if (identity !== undefined && x !== undefined && !isWhole(region, identity, x, best, regions))
          identity = undefined;
        identities.set(structure, identity ?? null);
      }
      if (identity === undefined || x === undefined || !fits(region, x, y, slopes, analysis)) return;
      best = {
        ...identity,
        name: nameOf(identity, region, slopes.length),
        scope,
        node,
        x,
        type: floatType(types(scope, x) ?? types(scope, y)),
        inner: nodes.slice(1),
        obstacle: constantObstacle(region, x, index),
        constants: constantsOf(region, slopes, index),
      };
    });
    return best;
  }
}

/** Returns whether a caller needs the function: Mish, a possible site, or a function that contains a site or a call. */
function isWanted({ name, node, inner }: WrittenActivation, calls: Analysis['calls']): boolean {
  const mayHold = (one: Node) => kindOf(one) !== undefined || calls.callee(one) !== undefined;
  return kindNamed(name) !== undefined || mayHold(node) || inner.some(mayHold);
}

/** Creates a test whether only nodes of a set, which are at most those of a region, read a node's outputs. */
function createPrivacyTest(scope: Scope, index: GraphIndex) {
  /** Nodes with more readers than a region has: their uses are not listed again for each region. */
  const crowded = new Set<Node>();
  return (node: Node, nodes: ReadonlySet<Node>): boolean =>
    !crowded.has(node) &&
    node.outputs.every((name) => {
      const uses = index.uses(scope, name);
      if (uses.length > MAX_VALUES) crowded.add(node);
      return uses.every((use) => use.kind === 'input' && nodes.has(use.node));
    });
}

/** Returns the names of the constants that a region reads, without those that a node with a graph inside computes: these stay. */
function constantsOf({ scope, scalars }: Region, slopes: readonly string[], index: GraphIndex): string[] {
  const names = [
    ...[...scalars.values()].flatMap(({ names }) => names),
    ...slopes.flatMap((name) => constantChain(index, scope, name)),
  ];
  return names.filter((name) => {
    const home = index.home(scope, name);
    const maker = home && index.producer(home, name);
    return maker === undefined || rewriteObstacle(maker) === undefined;
  });
}

/** Operators examined as single nodes too. `kindOf` recognises other swappable activations by operator. */
const SINGLE = new Set([
  'Mish',
  'Celu',
  'Clip',
  'Max',
  'ThresholdedRelu',
  'Gelu',
  'FastGelu',
  'QuickGelu',
  'Swish',
]);

/** Returns the activation's name, which depends on the number of constant operands, `slopes`. */
function nameOf(identity: Identity, region: Region, slopes: number): Identity['name'] {
  if (isParameter(identity, region)) return 'prelu';
  const isDynamic = identity.name === 'prelu' && region.operands.length > 1 && slopes === 0;
  return isDynamic ? 'dynamic-prelu' : identity.name;
}

/** Returns whether a slope is a weight tensor with dimensions, and not a literal number. */
function isParameter({ name, alpha = 0 }: Identity, { scalars }: Region): boolean {
  const isSlope = ({ rank, value }: Scalar) => rank > 0 && Math.abs(value) === Math.abs(alpha);
  return name === 'leakyrelu' && [...scalars.values()].some(isSlope);
}

/** Returns the rounding of a region's constants, at least `TOLERANCE`. */
const toleranceOf = ({ scalars }: Region) =>
  Math.max(TOLERANCE, ...[...scalars.values()].map(({ type }) => (type ? ROUNDING[type] : 0)));

/** Sample values that show whether a node changes its input. */
const SAMPLES = [-55, -9, -3.3, -1, -0.2, 0.3, 1, 2.7, 6.5, 23, 55];
/** Values of a second operand: both signs beside both signs of the first. */
const OTHERS = [...SAMPLES.slice(4), ...SAMPLES.slice(0, 4)];

function identityOf(
  region: Region,
  x: string,
  y: string,
  regions: Regions,
  slopes: number,
): Identity | undefined {
  const { operands, scalars } = region;
  const [first, second] = operands;
  const tolerance = toleranceOf(region);
  const result = (values: [string, readonly number[]][]) =>
    regions.evaluate(region, new Map(values)).get(y) ?? [];
  if (second === undefined) {
    const numbers = [...scalars.values()].map(({ value }) => value);
    return identify((points) => result([[x, points]]), numbers, tolerance);
  }
  const other = x === first ? second : (first ?? '');
  const pair = (one: string, two: string) =>
    identifyPair(
      (pairs) =>
        result([
          [one, pairs.map(([value]) => value)],
          [two, pairs.map(([, value]) => value)],
        ]),
      tolerance,
    );
  return pair(x, other) ?? (slopes > 0 ? undefined : pair(other, x));
}

/** Returns whether the last and first nodes contribute to the function, so that the region has no superfluous nodes. */
function isWhole(
  region: Region,
  { name }: Identity,
  x: string,
  smaller: WrittenActivation | undefined,
  regions: Regions,
): boolean {
  const [last, ...inner] = region.nodes;
  if (last === undefined) return false;
  // A Relu of a Relu counts as two sites; a ReLU written without such nodes is a site as a whole.
  if (name === 'relu' && region.nodes.some(({ opType }) => ACTIVATIONS.has(opType))) return false;
  // A LeakyReLU of a LeakyReLU counts as two sites, too: one is the last node, or the region found so far; the other comes before it.
  const isLeaky = (one: string | undefined) => one === 'leakyrelu' || one === 'prelu';
  const isTwice = isLeaky(name) && (ACTIVATIONS.has(last.opType) || isLeaky(smaller?.name));
  const { operands } = region;
  const samples = operands.map((name) => [name, name === x ? SAMPLES : OTHERS] as const);
  const values = regions.evaluate(region, new Map(samples));
  const tolerance = toleranceOf(region);
  const isSame = (one: string | undefined, other: string | undefined, most: number) => {
    const [a, b] = [values.get(one ?? ''), values.get(other ?? '')];
    return a?.every((value, at) => Math.abs(value - (b?.[at] ?? Number.NaN)) <= most) ?? false;
  };
  if (isTwice || (operands.length === 1 && smaller?.name === name && isSame(smaller.x, x, tolerance)))
    return false;
  const made = new Set(inner.flatMap(({ outputs }) => outputs));
  // A node of one operand, such as a HardSwish, is the activation by itself: what is before it bounds x outside of the samples.
  const isAlone = last.inputs.filter((input) => !region.scalars.has(input)).length === 1;
  // In a coarse element type, x + 0.001 is within the tolerance, and yet no part of the activation before it.
  return !last.inputs.some(
    (input) =>
      made.has(input) &&
      ((isAlone && isSame(input, x, tolerance)) ||
        (isSame(input, last.outputs[0], tolerance) &&
          !(name === 'relu6' && isSame(input, last.outputs[0], 0)))),
  );
}

/** Returns the reason that a constant of several elements may have other numbers than zeros, or more of them than `x` has. */
function constantObstacle({ scope, scalars }: Region, x: string, index: GraphIndex): Site['obstacle'] {
  const home = index.home(scope, x);
  const number = home && index.number(home, x);
  const dims = declaredDims(index, scope, x);
  for (const { shape } of scalars.values()) {
    if (shape === undefined) continue;
    const constant = `'${shape.name}'`;
    if (shape.isUnread)
      return ['unknown-constant', `it is a ReLU only if all elements of ${constant} are 0, ${ELSEWHERE}`];
    if (shape.like !== undefined && shape.like === number) continue;
    if (dims !== undefined && shape.dims !== undefined && isWithin(shape.dims, dims)) continue;
    const tail = dims === undefined ? `, ${UNDECLARED}` : '';
    return ['unknown-constant', `its constant ${constant} may have more elements than '${x}'${tail}`];
  }
  return undefined;
}
const ELSEWHERE = 'which is in another file; store that constant in the model';
const UNDECLARED = 'whose shape the model does not declare; onnx.shape_inference adds it';

/** Returns whether a constant with these dimensions adds none to a value, and enlarges none. */
const isWithin = (own: ConstantShape['dims'] & {}, dims: ConstantShape['dims'] & {}): boolean =>
  own.length <= dims.length &&
  own.every((size, at) => size === 1 || (size !== null && size === dims[dims.length - own.length + at]));

const whyOverridable = (name: string) =>
  `its constant '${name}' is an input of the model as well, which may override it`;

function isGraphInput(index: GraphIndex, scope: Scope, name: string): boolean {
  const home = index.home(scope, name);
  return home?.kind === 'graph' && index.isInput(home, name);
}

/** Returns whether the result has the type and shape that an activation of `x` would have. */
function fits(
  { scope, scalars }: Region,
  x: string,
  y: string,
  slopes: readonly string[],
  { index, types }: Analysis,
): boolean {
  const [from, to] = [types(scope, x), types(scope, y)];
  const type = from ?? to;
  if (type !== undefined && (floatType(type) === undefined || (to ?? type) !== type)) return false;
  // A constant with more dimensions than x would add them to the result. Where a node computes x and nobody declares its
  // dimensions, x has at least one: exporters that write numbers as vectors of one element do so beside tensors.
  const dims = declaredDims(index, scope, x);
  const rankOf = () => Math.max(leastRank(index, scope, x), isGraphInput(index, scope, x) ? 0 : 1);
  // `constantObstacle` compares the shape of a constant of several elements.
  const ranks = [...scalars.values()].map(({ rank, shape }) => (shape === undefined ? rank : 0));
  const largest = Math.max(0, ...ranks);
  if (largest > 0 && largest > (dims?.length ?? rankOf())) return false;
  const rank = dims?.length ?? (slopes.length > 0 ? rankOf() : 0);
  return slopes.every((name) => {
    const own = constantTensor(index, scope, name)?.dims ?? declaredDims(index, scope, name) ?? [];
    if (dims === undefined) return own.length <= rank;
    return (
      own.length <= rank &&
      own.every(
        (size, at) =>
          size === 1 ||
          typeof dims[rank - own.length + at] !== 'number' ||
          dims[rank - own.length + at] === size,
      )
    );
  });
}
