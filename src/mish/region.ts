import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import { type FloatType, floatType } from '../onnx/types.js';
import { constantChain, constantTensor } from './constants.js';
import { elementwise, isElementwise, numbersOf } from './elementwise.js';

/** Most nodes of a region, and of a function that is called in one. */
const MAX_NODES = 24;
/** Most functions that call each other inside a region. */
const MAX_DEPTH = 2;
/** After so many operands in one model, which takes one made for it, regions of few nodes are all that is looked for. */
const MAX_VISITS = 2e6;
const FEW_NODES = 10;

/** A scalar constant that a region reads. */
export interface Scalar {
  readonly value: number;
  readonly type: FloatType | undefined;
  readonly rank: number;
  /** Names of the constants it is made of. */
  readonly names: readonly string[];
}

/** A part of a graph that is elementwise, with one result and few operands besides scalar constants. */
export interface Region {
  readonly scope: Scope;
  /** From the node that makes the result to those that read the operands. */
  readonly nodes: readonly Node[];
  readonly operands: readonly string[];
  readonly scalars: ReadonlyMap<string, Scalar>;
  /** A number that regions have in common if they compute the same in the same way. */
  readonly structure: number;
}

/** A node as a function of its operands at one point. */
type Compiled = (a: number, b: number, c: number) => number;

/** Values by name, at some points; all lists are equally long. */
export type Values = ReadonlyMap<string, readonly number[]>;

/** Finds and evaluates the elementwise regions of a document. */
export interface Regions {
  /** Whether a node may be part of a region. */
  isPart(node: Node): boolean;
  /** Whether a name is a scalar constant, or made of such. */
  isScalar(scope: Scope, name: string, reader: Node): boolean;
  /**
   * The regions that end in a node and have one or two operands, each with one node more than the one before.
   * `canJoin` is told nodes of the same scope.
   */
  endingIn(scope: Scope, last: Node, canJoin: (node: Node) => boolean): Generator<Region>;
  /** What the nodes of a region make of these operands. */
  evaluate(region: Region, operands: Values): Values;
}

export function createRegions(document: OnnxDocument, { index, calls }: Analysis): Regions {
  const hasFunctions = document.functions.length > 0;
  let visits = 0;
  const structures = new Map<string, number>();

  /** A scalar constant, or what is made of one or two. */
  function scalarOf(scope: Scope, name: string, reader: Node, depth = 0): Scalar | undefined {
    const tensor = constantTensor(index, scope, name);
    if (tensor !== undefined) {
      const type = floatType(tensor.elemType);
      // Integers calculate in a way of their own.
      const isFloat = type !== undefined || reader.opType === 'Pow' || reader.opType === 'Cast';
      if (tensor.scalar === undefined || !isFloat) return undefined;
      return { value: tensor.scalar, type, rank: tensor.dims.length, names: [name] };
    }
    const home = index.home(scope, name);
    const node = home && index.producer(home, name);
    if (home === undefined || node === undefined || depth === MAX_DEPTH || node.inputs.length > 2)
      return undefined;
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

  function compile(node: Node, call?: Node, depth = 0): Compiled | undefined {
    const callee = hasFunctions ? calls.callee(node) : undefined;
    if (callee !== undefined) return depth < MAX_DEPTH ? compileCall(node, callee, depth) : undefined;
    const isGiven = (ref: string) => call?.attributes.some(({ name }) => name === ref);
    if (node.attributes.some(({ ref }) => ref !== undefined && !isGiven(ref))) return undefined;
    const op = elementwise(node);
    const numbers = numbersOf(node, call);
    return op && ((a, b, c) => op(a, b, c, numbers, node));
  }

  /** A call of a function that is elementwise throughout. */
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

  /** What a node computes, but for where its operands come from. */
  function signature({ opType, domain, overload, attributes }: Node): string {
    const given = attributes.map(({ name, f, i, s = '' }) => `${name}=${f},${i},${s}`);
    return `${domain}.${opType}.${overload} ${given.join(' ')}`;
  }

  function* endingIn(scope: Scope, last: Node, canJoin: (node: Node) => boolean): Generator<Region> {
    const nodes: Node[] = [];
    const numbers = new Map<string, number>();
    const scalars = new Map<string, Scalar>();
    /** The operands, with the nodes that can join the region. */
    const open = new Map<string, Node | undefined>();
    let structure = 0;
    for (let next: Node | undefined = last; next !== undefined; ) {
      const node: Node = next;
      nodes.push(node);
      const [output = ''] = node.outputs;
      let key = `${structure} ${numbers.get(output)} ${signature(node)}`;
      open.delete(output);
      if (!numbers.has(output)) numbers.set(output, 0);
      for (const name of node.inputs) {
        const number = numbers.get(name);
        if (number !== undefined && !open.has(name) && !scalars.has(name)) return; // the nodes are not in order
        key += `,${number ?? ''}`;
        if (name === '' || number !== undefined) continue;
        visits++;
        numbers.set(name, numbers.size);
        const producer = index.producer(scope, name);
        const joins = producer !== undefined && canJoin(producer);
        const scalar = joins ? undefined : scalarOf(scope, name, node);
        if (scalar !== undefined) scalars.set(name, scalar);
        else open.set(name, joins ? producer : undefined);
        const isTensor = !joins && scalar === undefined && constantChain(index, scope, name).length > 0;
        key += scalar !== undefined ? `=${scalar.value}${scalar.type}` : isTensor ? '!' : '?';
      }
      const known = structures.get(key);
      structure = known ?? structures.size + 1;
      if (known === undefined) structures.set(key, structure);
      const operands = [...open.keys()];
      if (open.size === 1 || open.size === 2) yield { scope, nodes, operands, scalars, structure };
      // The last in the file first: so every value that all else depends on is an only operand in its turn.
      next = undefined;
      let closed = 0;
      for (const producer of open.values()) {
        if (producer === undefined) closed++;
        else if (next === undefined || producer.index > next.index) next = producer;
      }
      if (closed > 2 || nodes.length >= (visits > MAX_VISITS ? FEW_NODES : MAX_NODES)) return;
    }
  }

  function isPart(node: Node): boolean {
    // Most nodes are something else, and told by their operator.
    if (!hasFunctions && !isElementwise(node)) return false;
    return compile(node) !== undefined && rewriteObstacle(node) === undefined;
  }

  const isScalar = (scope: Scope, name: string, reader: Node) => scalarOf(scope, name, reader) !== undefined;

  function evaluate({ nodes, scalars }: Region, operands: Values): Values {
    const values = new Map(operands);
    const count = operands.values().next().value?.length ?? 0;
    const always = (value: number) => new Array<number>(count).fill(value);
    const missing = always(Number.NaN);
    for (const [name, { value }] of scalars) values.set(name, always(value));
    for (let at = nodes.length - 1; at >= 0; at--) {
      const node = nodes[at] as Node;
      const run = compile(node);
      const [a = missing, b = missing, c = missing] = node.inputs.map((name) => values.get(name));
      const result = missing.map(
        (nothing, point) => run?.(a[point] ?? nothing, b[point] ?? nothing, c[point] ?? nothing) ?? nothing,
      );
      values.set(node.outputs[0] ?? '', result);
    }
    return values;
  }

  return { isPart, isScalar, endingIn, evaluate };
}
