import type { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import { type AttributeValue, floats, ints, node } from './model.js';

// Builds a graph of float32 values whose dimensions are known, with choices drawn from a seed.

/** A value of the graph. */
export interface GraphValue {
  readonly name: string;
  readonly dims: readonly number[];
  /** Whether it holds numbers of an input as they came: then even operators that jump agree on every provider. */
  readonly exact: boolean;
}

/** No tensor has more elements. */
const MAX_ELEMENTS = 4096;
/** A graph that has as many nodes gets no block more. */
const MAX_NODES = 12;

export const product = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);

/** Dimensions of two operands together; undefined where they do not fit. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const at = (dims: readonly number[], axis: number) => dims[axis - rank + dims.length] ?? 1;
  const sizes = Array.from({ length: rank }, (_, axis) => [at(a, axis), at(b, axis)] as const);
  if (sizes.some(([one, other]) => one !== other && one !== 1 && other !== 1)) return undefined;
  return sizes.map(([one, other]) => Math.max(one, other));
}

/** A block gave up: it does not fit here, or the graph became too large. */
export class DoesNotFit extends Error {}

export class GraphBuilder {
  readonly nodes: onnx.INodeProto[] = [];
  readonly initializers: onnx.ITensorProto[] = [];
  readonly inputs: GraphValue[] = [];
  /** The float32 values so far. */
  readonly values: GraphValue[] = [];
  readonly random: () => number;
  #next = 0;

  constructor(
    readonly seed: number,
    readonly opset: number,
  ) {
    this.random = createRandom(seed);
    for (let skipped = 0; skipped < 8; skipped++) this.random(); // neighbouring seeds begin alike
  }

  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(choices: readonly T[]): T {
    return this.given(choices[this.int(0, choices.length - 1)]);
  }

  /** Ends the block unless the condition holds. */
  need(condition: boolean): void {
    if (!condition) throw new DoesNotFit('it does not fit');
  }

  /** What is there; ends the block where it is not. */
  given<T>(value: T | undefined): T {
    if (value === undefined) throw new DoesNotFit('it is not there');
    return value;
  }

  name(prefix: string): string {
    return `${prefix}${this.#next++}`;
  }

  input(dims: readonly number[]): GraphValue {
    const value = { name: this.name('x'), dims, exact: true };
    this.inputs.push(value);
    this.values.push(value);
    return value;
  }

  /** A node with several outputs, by their dimensions. */
  many(
    op: string,
    inputs: readonly (GraphValue | string)[],
    outputs: readonly (readonly number[])[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    exact = false,
  ): GraphValue[] {
    this.need(this.nodes.length < MAX_NODES);
    for (const dims of outputs)
      this.need(product(dims) <= MAX_ELEMENTS && dims.every((dim) => Number.isInteger(dim) && dim > 0));
    const made = outputs.map((dims) => ({ name: this.name('v'), dims, exact }));
    const names = inputs.map((one) => (typeof one === 'string' ? one : one.name));
    const results = made.map(({ name }) => name);
    this.nodes.push(node(op, names, results, { ...attributes }, { name: `${op}_${results[0]}` }));
    this.values.push(...made);
    return made;
  }

  /** A node of one output. */
  add(
    op: string,
    inputs: readonly (GraphValue | string)[],
    dims: readonly number[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    exact = false,
  ): GraphValue {
    return this.given(this.many(op, inputs, [dims], attributes, exact)[0]);
  }

  /** A node whose output is not float32, and so is nothing to go on from: a shape or truth values. */
  aside(
    op: string,
    inputs: readonly (GraphValue | string)[],
    dims: readonly number[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): GraphValue {
    const made = this.add(op, inputs, dims, attributes);
    this.values.pop();
    return made;
  }

  /** A node of an elementwise operator. */
  unary(op: string, x: GraphValue, attributes: Readonly<Record<string, AttributeValue>> = {}): GraphValue {
    return this.add(op, [x], x.dims, attributes, x.exact && (op === 'Relu' || op === 'Identity'));
  }

  /** A node of an operator of two operands that broadcasts. */
  binary(op: string, a: GraphValue, b: GraphValue): GraphValue {
    return this.add(op, [a, b], this.given(broadcast(a.dims, b.dims)));
  }

  /** An initializer of random numbers. */
  weights(dims: readonly number[], make = () => normal(this.random)): GraphValue {
    const name = this.name('w');
    const data = Array.from({ length: product(dims) }, () => Math.round(make() * 1024) / 1024);
    this.initializers.push(floats(name, dims, data));
    return { name, dims, exact: false };
  }

  /** An initializer of numbers that can be divided by. */
  positive(dims: readonly number[]): GraphValue {
    return this.weights(dims, () => 0.5 + this.random());
  }

  constant(dims: readonly number[], data: readonly number[]): GraphValue {
    const name = this.name('c');
    this.initializers.push(floats(name, dims, data));
    return { name, dims, exact: false };
  }

  integers(data: readonly number[], dims: readonly number[] = [data.length]): string {
    const name = this.name('i');
    this.initializers.push(ints(name, dims, data));
    return name;
  }

  /** Runs a block, and leaves no trace of it where it gives up. */
  attempt<T>(block: () => T): T | undefined {
    const marks = [this.nodes, this.initializers, this.inputs, this.values].map(
      (list) => [list, list.length] as const,
    );
    try {
      return block();
    } catch (error) {
      if (!(error instanceof DoesNotFit)) throw error;
      for (const [list, length] of marks) list.length = length;
      return undefined;
    }
  }
}
