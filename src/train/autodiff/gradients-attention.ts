import { attribute, type Node } from '../../onnx/document.js';
import { type Gradient, type Gradients, minus, scaled, times, unbroadcast } from './rule.js';
import type { Tape } from './tape.js';

/** An operand of attention: [samples, heads, places, features], or [samples, places, heads × features]. */
interface Operand {
  readonly name: string;
  readonly isFlat: boolean;
  readonly samples: number;
  readonly heads: number;
  readonly places: number;
  readonly features: number;
}

function operandOf(tape: Tape, node: Node, name: string, headsAttribute: string): Operand {
  const dims = tape.dims(name);
  const [samples = 1, second = 1, third = 1, features = 1] = dims;
  if (dims.length === 4) return { name, isFlat: false, samples, heads: second, places: third, features };
  const heads = attribute(node, headsAttribute)?.i ?? 1;
  return { name, isFlat: true, samples, heads, places: second, features: third / heads };
}

/** Adds a tensor of an operand's kind as [samples, heads, places, features]. */
function apart(tape: Tape, x: string, { isFlat, samples, heads, places, features }: Operand): string {
  if (!isFlat) return x;
  return tape.node('Transpose', [tape.reshape(x, [samples, places, heads, features])], {
    perm: [0, 2, 1, 3],
  });
}

/** Adds the opposite of `apart`. */
function joined(tape: Tape, x: string, { isFlat, samples, heads, places, features }: Operand): string {
  const whole = tape.reshape(x, [samples, heads, places, features]);
  if (!isFlat) return whole;
  return tape.reshape(tape.node('Transpose', [whole], { perm: [0, 2, 1, 3] }), [
    samples,
    places,
    heads * features,
  ]);
}

/** Adds the shares with which each query reads the keys: attention whose values are the rows of the identity matrix. */
function sharesOf(tape: Tape, node: Node, q: string, k: string, mask: string, key: Operand): string {
  const { samples, heads, places } = key;
  const rows = Float32Array.from({ length: places * places }, (_, at) => (at % (places + 1) === 0 ? 1 : 0));
  const identity = tape.node('Expand', [
    tape.floats(rows, [1, 1, places, places]),
    tape.ints([samples, heads, places, places]),
  ]);
  const scale = attribute(node, 'scale')?.f;
  return tape.node('Attention', mask === '' ? [q, k, identity] : [q, k, identity, mask], {
    is_causal: attribute(node, 'is_causal')?.i ?? 0,
    ...(scale === undefined ? {} : { scale: { f: scale } }),
  });
}

/**
 * The gradient of attention without a cache, softmax(scale × Q Kᵀ + mask) V. Groups of query heads may share a head of keys and
 * values.
 */
const attention: Gradient = (tape, node, g) => {
  const [q = '', k = '', v = '', mask = '', ...cached] = node.inputs;
  const isPlain = (attribute(node, 'softcap')?.f ?? 0) === 0 && cached.every((name) => name === '');
  if (!isPlain) return [];
  const query = operandOf(tape, node, q, 'q_num_heads');
  const key = operandOf(tape, node, k, 'kv_num_heads');
  const value = operandOf(tape, node, v, 'kv_num_heads');
  const [samples, groups, size] = [query.samples, key.heads, query.heads / key.heads];
  const result = { ...query, features: value.features };
  const [plainQ, plainK] = [apart(tape, q, query), apart(tape, k, key)];
  // From here on, the heads of a group have an axis of their own.
  const grouped = (x: string, { heads, places, features }: Operand) =>
    tape.reshape(x, [samples, groups, heads / groups, places, features]);
  const turned = (x: string) => tape.node('Transpose', [x], { perm: [0, 1, 2, 4, 3] });
  const product = (a: string, b: string) => tape.node('MatMul', [a, b]);
  const dims = [samples, query.heads, query.places, key.places];
  const shares = tape.reshape(sharesOf(tape, node, plainQ, plainK, mask, key), [
    samples,
    groups,
    size,
    query.places,
    key.places,
  ]);
  const [a, b] = [grouped(plainQ, query), grouped(plainK, key)];
  const [c, gy] = [grouped(apart(tape, v, value), value), grouped(apart(tape, g, result), result)];
  const ofShares = times(tape, product(gy, turned(c)), shares);
  const ofScores = minus(tape, ofShares, times(tape, shares, tape.sum(ofShares, [4])));
  const scale = attribute(node, 'scale')?.f ?? 1 / Math.sqrt(query.features);
  const summed = (x: string) => tape.sum(x, size === 1 ? [] : [2]);
  const maskDims = tape.dims(mask);
  return [
    joined(tape, scaled(tape, product(ofScores, b), scale), query),
    joined(tape, summed(scaled(tape, product(turned(ofScores), a), scale)), key),
    joined(tape, summed(product(turned(shares), gy)), value),
    mask === '' ? undefined : unbroadcast(tape, tape.reshape(ofScores, dims), dims, maskDims),
  ];
};

/** The gradient of a rotation is the rotation by the opposite angle. */
const rotaryEmbedding: Gradient = (tape, node, g) => {
  const [, cosines = '', sines = '', ...places] = node.inputs;
  const names = ['interleaved', 'num_heads', 'rotary_embedding_dim'];
  const given = names.flatMap((name) => {
    const value = attribute(node, name)?.i;
    return value === undefined ? [] : [[name, value] as const];
  });
  const inputs = [g, cosines, tape.node('Neg', [sines]), ...places];
  return [tape.node('RotaryEmbedding', inputs, Object.fromEntries(given))];
};

/** The gradients of attention, and of what turns queries and keys by their places. */
export const ATTENTION: Gradients = { Attention: attention, RotaryEmbedding: rotaryEmbedding };
