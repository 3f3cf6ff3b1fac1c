// The nodes of the backward pass, which are appended to a graph.
import type { ComposedNode, ComposedValue } from '../../onnx/compose.js';
import { DataType } from '../../onnx/types.js';

/** A list of nodes that compute gradients. Tensors are given by name; a gradient has the shape of its tensor. */
export interface Tape {
  readonly opset: number;
  readonly nodes: readonly ComposedNode[];
  /** Whether to unfold each channel as a sample of its own, because WebGPU computes convolutions with groups wrongly. */
  readonly avoidsGroups: boolean;
  /** Returns the shape of a tensor of the forward pass. */
  dims(name: string): readonly number[];
  /** Returns the elements of a small constant tensor of the forward pass; undefined for other tensors. */
  constant(name: string): readonly number[] | undefined;
  /** Adds a node with a single output and returns the output's name. */
  node(
    op: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, ComposedValue>>,
    domain?: string,
  ): string;
  /** Adds a float32 constant; without `dims`, a scalar. */
  floats(data: ArrayLike<number>, dims?: readonly number[]): string;
  ints(values: readonly number[]): string;
  reshape(x: string, dims: readonly number[]): string;
  /** Adds a slice from starts to ends along axes. */
  slice(x: string, starts: readonly number[], ends: readonly number[], axes: readonly number[]): string;
  /** Adds equal parts of a tensor along an axis. */
  split(x: string, parts: number, axis: number): readonly string[];
  /** Adds zero padding. `pads` lists the begins of all axes, then the ends, as in ONNX. */
  pad(x: string, pads: readonly number[]): string;
  /** Adds the sum over axes, which stay with length 1. */
  sum(x: string, axes: readonly number[]): string;
  /** Adds the sum of tensors of the same shape; '' for none. */
  total(terms: readonly string[]): string;
  /** Adds flags: whether a comparison holds. */
  flags(comparison: 'Greater' | 'Less' | 'Equal', a: string, b: string): string;
  /** Adds a float mask: 1 where a comparison holds, else 0. */
  mask(comparison: 'Greater' | 'Less' | 'Equal', a: string, b: string): string;
}

/** Opset from which ReduceSum's axes are an input. */
const AXES_INPUT = 13;
/** Opset from which Slice's starts, ends and axes are inputs. */
const SLICE_INPUTS = 10;
/** Opset from which Split needs the number of parts as an attribute. */
const SPLIT_COUNT = 18;
/** Opset from which Pad's pads are an input, and Equal takes floats. */
const PAD_INPUTS = 11;
const EQUAL_FLOATS = 11;

/** Creates a tape. All its names begin with `prefix`. */
export function createTape(
  opset: number,
  dims: (name: string) => readonly number[],
  prefix: string,
  constantOf: (name: string) => readonly number[] | undefined = () => undefined,
  avoidsGroups = false,
): Tape {
  const nodes: ComposedNode[] = [];
  const constants = new Map<string, string>();
  let count = 0;
  const fresh = () => `${prefix}${count++}`;
  const constant = (dims: readonly number[], data: Float32Array | BigInt64Array) => {
    const key = data.length <= 16 ? `${data.constructor.name} ${dims} ${data.join()}` : '';
    const known = constants.get(key);
    if (known !== undefined) return known;
    const name = fresh();
    nodes.push(['Constant', [], [name], { value: { dims, data } }]);
    if (key !== '') constants.set(key, name);
    return name;
  };
  const tape: Tape = {
    opset,
    nodes,
    avoidsGroups,
    dims,
    constant: constantOf,
    node(op, inputs, attributes = {}, domain) {
      const name = fresh();
      nodes.push(
        domain === undefined ? [op, inputs, [name], attributes] : [op, inputs, [name], attributes, domain],
      );
      return name;
    },
    floats: (data, dims = []) => constant(dims, Float32Array.from(data)),
    ints: (values) => constant([values.length], BigInt64Array.from(values, BigInt)),
    reshape: (x, dims) => tape.node('Reshape', [x, tape.ints(dims)]),
    slice: (x, starts, ends, axes) =>
      opset >= SLICE_INPUTS
        ? tape.node('Slice', [x, tape.ints(starts), tape.ints(ends), tape.ints(axes)])
        : tape.node('Slice', [x], { starts, ends, axes }),
    split(x, parts, axis) {
      if (parts === 1) return [x];
      const names = Array.from({ length: parts }, fresh);
      nodes.push(['Split', [x], names, opset >= SPLIT_COUNT ? { axis, num_outputs: parts } : { axis }]);
      return names;
    },
    pad(x, pads) {
      if (pads.every((pad) => pad === 0)) return x;
      return opset >= PAD_INPUTS ? tape.node('Pad', [x, tape.ints(pads)]) : tape.node('Pad', [x], { pads });
    },
    sum(x, axes) {
      if (axes.length === 0) return x;
      return opset >= AXES_INPUT
        ? tape.node('ReduceSum', [x, tape.ints(axes)], { keepdims: 1 })
        : tape.node('ReduceSum', [x], { axes, keepdims: 1 });
    },
    total: (terms) => terms.reduce((sum, term) => (sum === '' ? term : tape.node('Add', [sum, term])), ''),
    flags(comparison, a, b) {
      if (comparison !== 'Equal' || opset >= EQUAL_FLOATS) return tape.node(comparison, [a, b]);
      return tape.node('Not', [tape.node('Or', [tape.node('Greater', [a, b]), tape.node('Less', [a, b])])]);
    },
    mask: (comparison, a, b) => tape.node('Cast', [tape.flags(comparison, a, b)], { to: DataType.FLOAT }),
  };
  return tape;
}
