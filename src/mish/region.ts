import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import { type FloatType, floatType } from '../onnx/types.js';
import { constantChain, constantTensor } from './constants.js';
import { elementwise, isElementwise, numbersOf } from './elementwise.js';
import { RELABELS } from './operands.js';
import { type ConstantShape, comparesWith, isFilled, uniformOf } from './uniform.js';
import { wordSet } from './use-moves.js';

/** Maximum number of nodes of a region, and of a function that a region calls. */
const MAX_NODES = 24;
/** Maximum depth of function calls inside a region. */
const MAX_DEPTH = 2;
/** Operands per model after which only small regions are searched. Only a hostile model has so many. */
const MAX_VISITS = 2e6;
const FEW_NODES = 10;

/** Operators whose results are no constants: layers and reductions. */
const COMPUTES = wordSet(
  'Conv ConvTranspose Gemm MatMul MaxPool AveragePool GlobalAveragePool LRN InstanceNormalization LayerNormalization ReduceMean ReduceSum Softmax Concat Gather Slice Shape',
);

/** Operators that take an integer constant as the number that it is. */
const CONVERTS = wordSet('Pow Cast CastLike');

/** A scalar constant that a region reads. */
export interface Scalar {
  readonly value: number;
  readonly type: FloatType | undefined;
  readonly rank: number;
  /** Names of the constants that it is derived from. */
  readonly names: readonly string[];
  /** The shape of a constant of several elements. */
  readonly shape?: ConstantShape | undefined;
}

/** An elementwise part of a graph, with a single result and few operands besides scalar constants. */
export interface Region {
  readonly scope: Scope;
  /** Nodes from the last, which computes the result, to the first, which read the operands. */
  readonly nodes: readonly Node[];
  readonly operands: readonly string[];
  readonly scalars: ReadonlyMap<string, Scalar>;
  /** Number shared by regions that compute the same function with the same nodes. */
  readonly structure: number;
}

/** A node as a function of its scalar operands. */
type Compiled = (a: number, b: number, c: number, d?: number, e?: number) => number;

/** Values at the sample points, by name; all lists have the same length. */
export type Values = ReadonlyMap<string, readonly number[]>;

/** Visitor of regions: takes the structure, and a function that builds the region. */
type Look = (structure: number, region: () => Region) => void;

/** A value of a region. */
interface Value {
  readonly number: number;
  readonly name: string;
  role: number;
  /** The node that computes it, if that node is part of the region or can join. */
  readonly maker: Node | undefined;
  readonly scalar: Scalar | undefined;
}

/** Roles of a value in a region: an operand, the output of a node that can join, a scalar constant, an inner value. */
const [OPERAND, OPEN, SCALAR, MADE] = [0, 1, 2, 3];
/** Upper bound on the number of values in a region. */
export const MAX_VALUES = 128;
/** Limit on the detail of a structure: the place of a value, and the number of inputs of its node, 5 at most. */
const MAX_DETAILS = 8 * MAX_VALUES;
/** Limits on structures and their texts; only a hostile model exceeds them. */
const MAX_STRUCTURES = 2 ** 22;
const MAX_TEXTS = 2 ** 20;

/** Creates a function that numbers structures by previous structure, text and a number below `MAX_DETAILS`; -1 beyond the limits. */
function createStructures(): (from: number, text: string, number: number) => number {
  const texts = new Map<string, number>();
  const structures = new Map<number, number>();
  return (from, text, number) => {
    let id = texts.get(text);
    if (id === undefined) {
      id = texts.size;
      texts.set(text, id);
    }
    const key = (from * MAX_TEXTS + id) * MAX_DETAILS + number;
    let structure = structures.get(key);
    if (structure === undefined) {
      if (id >= MAX_TEXTS || structures.size >= MAX_STRUCTURES) return -1;
      structure = structures.size + 1;
      structures.set(key, structure);
    }
    return structure;
  };
}

/** Finds and evaluates the elementwise regions of a document. */
export interface Regions {
  /** Whether a node may be part of a region. */
  isPart(scope: Scope, node: Node): boolean;
  /** Whether an input is a scalar constant, or derived from scalar constants. */
  isScalarAt(scope: Scope, reader: Node, slot: number): boolean;
  /**
   * Visits the regions that end in a node and have one or two operands. Each region extends the previous region by one
   * node. `canJoin` receives nodes of the same scope.
   */
  eachEndingIn(scope: Scope, last: Node, canJoin: (node: Node) => boolean, look: Look): void;
  /** Computes the values of a region from these operands. */
  evaluate(region: Region, operands: Values): Values;
}

/** Creates regions of a document. Not split because its parts share a visit count and caches of this document. */
export function createRegions(document: OnnxDocument, { index, calls, types }: Analysis): Regions {
  const hasFunctions = document.functions.length > 0;
  let visits = 0;
  const structureAfter = createStructures();

  /** Evaluates a scalar constant, or one with the same number in each element that cannot be weights. */
  function constantOf(scope: Scope, name: string, reader: Node, maker?: Node): Scalar | undefined {
    const single = scalarOf(scope, name, reader);
    const mayBeUniform = single === undefined && (comparesWith(reader) || isFilled(maker));
    const uniform = mayBeUniform ? uniformOf(index, scope, name) : undefined;
    if (uniform === undefined) return single;
    // A filled tensor is a literal number, whatever its dimensions.
    const rank = isFilled(maker) ? 0 : (uniform.shape.dims?.length ?? 0);
    return { ...uniform, type: floatType(uniform.elemType), rank };
  }

  /** Evaluates a scalar constant, or a node of one or two scalar constants. */
  function scalarOf(scope: Scope, name: string, reader: Node, depth = 0): Scalar | undefined {
    const tensor = constantTensor(index, scope, name);
    if (tensor !== undefined) {
      const type = floatType(tensor.elemType);
      // Integer arithmetic differs.
      const isFloat = type !== undefined || CONVERTS.has(reader.opType);
      if (tensor.scalar === undefined || !isFloat) return undefined;
      return {
        value: tensor.scalar,
        type,
        rank: tensor.dims.length,
        names: constantChain(index, scope, name),
      };
    }
    const home = index.home(scope, name);
    const node = home && index.producer(home, name);
    if (home === undefined || node === undefined || depth === MAX_DEPTH) return undefined;
    if (node.opType === 'CastLike' && node.domain === '') {
      // A cast to a float keeps the number.
      const [from = '', like = ''] = node.inputs;
      const isFloat = types
        .all(home, like)
        .every((type) => type === undefined || floatType(type) !== undefined);
      const cast = isFloat ? scalarOf(home, from, node, depth + 1) : undefined;
      return cast && { ...cast, names: [name, ...cast.names] };
    }
    if (node.opType === 'ConstantOfShape' && node.domain === '') {
      // The vector of a BatchNormalization. Its length does not count: it is the number of channels.
      const { tensor } = attribute(node, 'value') ?? {};
      const type = floatType(tensor?.elemType);
      if (tensor?.scalar === undefined || type === undefined || reader.opType !== 'BatchNormalization')
        return undefined;
      return { value: tensor.scalar, type, rank: 0, names: [name, ...node.inputs] };
    }
    if (node.inputs.length > 2 || !mayBePart(node)) return undefined;
    const parts: Scalar[] = [];
    for (const input of node.inputs) {
      const part = scalarOf(home, input, node, depth + 1);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    const [a, b] = parts;
    const run = a && rewriteObstacle(node) === undefined ? compile(node) : undefined;
    if (run === undefined || a === undefined) return undefined;
    const to = node.opType === 'Cast' ? floatType(attribute(node, 'to')?.i) : a.type;
    const value = run(a.value, b?.value ?? Number.NaN, Number.NaN);
    const rank = Math.max(...parts.map((part) => part.rank));
    return { value, type: to, rank, names: [name, ...parts.flatMap(({ names }) => names)] };
  }

  /** Quick test: the operator alone rules out most nodes. */
  const mayBePart = (node: Node) => hasFunctions || isElementwise(node);

  function compile(node: Node, call?: Node, depth = 0): Compiled | undefined {
    const callee = calls.callee(node);
    const isGiven = (ref: string) =>
      callee === undefined && call?.attributes.some(({ name }) => name === ref);
    if (node.attributes.some(({ ref }) => ref !== undefined && !isGiven(ref))) return undefined;
    if (callee !== undefined) return depth < MAX_DEPTH ? compileCall(node, callee, depth) : undefined;
    const op = elementwise(node);
    if (op === undefined) return undefined;
    const numbers = numbersOf(node, call);
    return (a, b, c, d, e) => op(a, b, c, numbers, node, d, e);
  }

  /** Compiles the call of a function whose nodes are all elementwise. */
  function compileCall(call: Node, callee: Scope, depth: number): Compiled | undefined {
    const count = callee.inputs.length;
    if (call.outputs.length !== 1 || call.inputs.length !== count || call.inputs.includes(''))
      return undefined;
    if (count < 1 || count > 3 || callee.outputs.length !== 1 || callee.nodes.length > MAX_NODES)
      return undefined;
    const parameters = callee.inputs.map(({ name }) => name);
    const result = callee.outputs[0]?.name ?? '';
    const values = new Map<string, number>([
      ['', Number.NaN],
      ...parameters.map((name) => [name, 0] as const),
    ]);
    const steps: (() => void)[] = [];
    const read = (name = '') => values.get(name) ?? Number.NaN;
    for (const node of callee.nodes) {
      if (node.opType === 'Constant' && node.domain === '') continue;
      for (const name of node.inputs) {
        const scalar = values.has(name) ? undefined : scalarOf(callee, name, node);
        if (scalar !== undefined) values.set(name, scalar.value);
        else if (!values.has(name)) return undefined;
      }
      const run = compile(node, call, depth + 1);
      const [output = ''] = node.outputs;
      if (run === undefined || values.has(output)) return undefined;
      const [a, b, c] = node.inputs;
      values.set(output, 0);
      steps.push(() => values.set(output, run(read(a), read(b), read(c))));
    }
    if (!values.has(result)) return undefined;
    return (...operands) => {
      for (const [slot, name] of parameters.entries()) values.set(name, operands[slot] ?? Number.NaN);
      for (const step of steps) step();
      return read(result);
    };
  }

  /** Describes a node's operator and attributes, without its operands. */
  function signature({ opType, domain, overload, attributes }: Node): string {
    if (domain === '' && attributes.length === 0) return opType;
    const given = attributes.map(({ name, f, i, s = '' }) => `${name}=${f},${i},${s}`);
    return `${domain}.${opType}.${overload} ${given.join(' ')}`;
  }

  /** The values of the current region, in order of discovery. */
  const found: Value[] = [];

  /** Extends the structure by an input of the last node; -1 where it cannot be extended. */
  function addInput(scope: Scope, node: Node, slot: number, canJoin: (node: Node) => boolean, from: number) {
    const number = index.input(scope, node, slot);
    if (number < 0) return structureAfter(from, '', 0);
    const known = found.findIndex((value) => value.number === number);
    // A value that a node of the region computes: the nodes are not in order.
    if (known >= 0) return found[known]?.role === MADE ? -1 : structureAfter(from, '', known + 1);
    visits++;
    const maker = index.source(scope, node, slot);
    // A copy of a constant of several elements is one where a comparison reads it, and no part of the region.
    const isCopy = maker !== undefined && RELABELS.has(maker.opType) && comparesWith(node);
    const joins = maker !== undefined && canJoin(maker) && !(isCopy && scalarAt(scope, node, slot, maker));
    const scalar = joins ? undefined : scalarAt(scope, node, slot, maker);
    const role = joins ? OPEN : scalar ? SCALAR : OPERAND;
    found.push({ number, name: node.inputs[slot] ?? '', role, maker: joins ? maker : undefined, scalar });
    if (scalar !== undefined) return structureAfter(from, `${scalar.value}${scalar.type}`, 0);
    const isTensor = !joins && isConstant(scope, node, slot, maker);
    return structureAfter(from, isTensor ? '!' : '?', 0);
  }

  function eachEndingIn(scope: Scope, last: Node, canJoin: (node: Node) => boolean, look: Look): void {
    const nodes: Node[] = [];
    let structure = 0;
    const region = (): Region => ({
      scope,
      nodes: nodes.slice(),
      structure,
      operands: found.flatMap(({ role, name }) => (role === OPERAND || role === OPEN ? name : [])),
      scalars: new Map(
        found.flatMap(({ name, scalar }) => (scalar === undefined ? [] : [[name, scalar] as const])),
      ),
    });
    const [name = ''] = last.outputs;
    found.length = 0;
    found.push({ number: index.output(scope, last, 0), name, role: OPEN, maker: last, scalar: undefined });
    for (let next = 0; next >= 0; ) {
      const value = found[next] as Value;
      const node = value.maker as Node;
      const length = node.inputs.length;
      value.role = MADE;
      nodes.push(node);
      structure = structureAfter(structure, signature(node), length * MAX_VALUES + next);
      for (let slot = 0; slot < length && structure > 0; slot++)
        structure = addInput(scope, node, slot, canJoin, structure);
      if (structure < 0) return;
      // The node that comes last in the file joins first. So a value that the whole region needs is once its only operand.
      let open = 0;
      let closed = 0;
      next = -1;
      let latest = -1;
      for (const [place, { role, maker }] of found.entries()) {
        if (role === OPERAND) closed++;
        if (role !== OPEN) continue;
        open++;
        if (maker === undefined || maker.index <= latest) continue;
        [next, latest] = [place, maker.index];
      }
      if (open + closed === 1 || open + closed === 2) look(structure, region);
      if (closed > 2 || nodes.length >= (visits > MAX_VISITS ? FEW_NODES : MAX_NODES)) return;
    }
  }

  /** Whether nodes without attributes can be compiled, by operator, by the number of inputs. */
  const plain = new Map<string, (boolean | undefined)[]>();
  function isCompiled(node: Node): boolean {
    const { domain, opType, inputs } = node;
    const isPlain = domain === '' && !hasFunctions && node.attributes.length === 0 && inputs.length < 3;
    if (!isPlain || inputs.includes('') || node.outputs.length !== 1) return compile(node) !== undefined;
    const known = plain.get(opType) ?? [];
    if (known.length === 0) plain.set(opType, known);
    known[inputs.length] ??= compile(node) !== undefined;
    return known[inputs.length] ?? false;
  }

  function isPart(scope: Scope, node: Node): boolean {
    if (!mayBePart(node) || !isCompiled(node) || rewriteObstacle(node) !== undefined) return false;
    return (
      node.opType !== 'BatchNormalization' || [1, 2, 3, 4].every((slot) => isScalarAt(scope, node, slot))
    );
  }

  /** Returns whether the operator of a value's producer rules out a constant. Most do, and names need not be looked up. */
  const isComputed = (maker: Node | undefined): boolean =>
    maker !== undefined && maker.domain === '' && COMPUTES.has(maker.opType);
  const scalarAt = (scope: Scope, node: Node, slot: number, maker: Node | undefined) =>
    isComputed(maker) ? undefined : constantOf(scope, node.inputs[slot] ?? '', node, maker);
  const isConstant = (scope: Scope, node: Node, slot: number, maker: Node | undefined): boolean =>
    !isComputed(maker) && constantChain(index, scope, node.inputs[slot] ?? '').length > 0;

  function evaluate({ nodes, scalars }: Region, operands: Values): Values {
    const values = new Map(operands);
    const points = operands.values().next().value?.length ?? 0;
    const always = (value: number) => new Array<number>(points).fill(value);
    const missing = always(Number.NaN);
    for (const [name, { value }] of scalars) values.set(name, always(value));
    for (let at = nodes.length - 1; at >= 0; at--) {
      const node = nodes[at] as Node;
      const run = compile(node);
      const [a, b, c, d, e] = node.inputs.map((name) => values.get(name) ?? missing);
      const result = missing.map((nothing, point) => {
        const read = (list: readonly number[] = missing) => list[point] ?? nothing;
        return run?.(read(a), read(b), read(c), read(d), read(e)) ?? nothing;
      });
      values.set(node.outputs[0] ?? '', result);
    }
    return values;
  }

  // Without the maker: a node that reads a filled tensor alone gives a tensor, and joins the region.
  const isScalarAt = (scope: Scope, node: Node, slot: number): boolean =>
    !isComputed(index.source(scope, node, slot)) &&
    constantOf(scope, node.inputs[slot] ?? '', node) !== undefined;
  return { isPart, isScalarAt, eachEndingIn, evaluate };
}
