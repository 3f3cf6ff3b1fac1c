import { attribute, type Node } from '../onnx/document.js';
import { DataType, floatType } from '../onnx/types.js';
import { mish, relu, sigmoid, softplus } from './reference.js';

// The functions of elementwise operators, in float64. Booleans are 1 and 0.

/** A number attribute of the node, or its default. */
export type Numbers = (name: string, otherwise: number) => number;
type Op = (
  a: number,
  b: number,
  c: number,
  number: Numbers,
  node: Node,
  mean?: number,
  variance?: number,
) => number;

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
export const elu = (x: number, alpha: number) => (x > 0 ? x : alpha * Math.expm1(x));
const truth = (value: boolean) => (value ? 1 : 0);

/** The error function, by a series of positive terms; exact to 1e-14. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Computes GELU, x · Φ(x). */
export function gelu(x: number): number {
  return (x / 2) * (1 + erf(x / Math.SQRT2));
}

/** Computes the tanh approximation of GELU. */
export function tanhGelu(x: number): number {
  return (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

export function hardSwish(x: number): number {
  return (x * clamp(x + 3, 0, 6)) / 6;
}

/** The constants of SELU. */
export const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

const UNARY: Readonly<Record<string, Op>> = {
  Identity: (a) => a,
  Cast: (a, _b, _c, number) => (number('to', 0) === DataType.BOOL ? truth(a !== 0) : a),
  Abs: Math.abs,
  Neg: (a) => -a,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Reciprocal: (a) => 1 / a,
  Sign: Math.sign,
  Not: (a) => 1 - a,
  Erf: erf,
  Tanh: Math.tanh,
  Sigmoid: sigmoid,
  Softplus: softplus,
  Softsign: (a) => a / (1 + Math.abs(a)),
  Relu: relu,
  LeakyRelu: (a, _b, _c, number) => (a < 0 ? number('alpha', 0.01) * a : a),
  ThresholdedRelu: (a, _b, _c, number) => (a > number('alpha', 1) ? a : 0),
  Elu: (a, _b, _c, number) => elu(a, number('alpha', 1)),
  Selu: (a, _b, _c, number) => number('gamma', SELU.gamma) * elu(a, number('alpha', SELU.alpha)),
  Celu: (a, _b, _c, number) => (a > 0 ? a : number('alpha', 1) * Math.expm1(a / number('alpha', 1))),
  HardSigmoid: (a, _b, _c, number) => clamp(number('alpha', 0.2) * a + number('beta', 0.5), 0, 1),
  HardSwish: hardSwish,
  Mish: (a) => mish(a),
  Swish: (a, _b, _c, number) => a * sigmoid(number('alpha', 1) * a),
  Gelu: (a, _b, _c, _number, node) => (attribute(node, 'approximate')?.s === 'tanh' ? tanhGelu(a) : gelu(a)),
  'com.microsoft.Gelu': gelu,
  'com.microsoft.FastGelu': tanhGelu,
  'com.microsoft.QuickGelu': (a, _b, _c, number) => a * sigmoid(number('alpha', 1.702) * a),
};

const BINARY: Readonly<Record<string, Op>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  PRelu: (a, b) => (a < 0 ? a * b : a),
  Greater: (a, b) => truth(a > b),
  GreaterOrEqual: (a, b) => truth(a >= b),
  Less: (a, b) => truth(a < b),
  LessOrEqual: (a, b) => truth(a <= b),
  Equal: (a, b) => truth(a === b),
  And: (a, b) => a * b,
  Or: (a, b) => Math.max(a, b),
};

/** Variadic operators; only two or three operands are supported. */
const VARIADIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  Min: Math.min,
  Max: Math.max,
  Sum: (a, b) => a + b,
};

const where: Op = (a, b, c) => (a !== 0 ? b : c);

/** Clip's bounds are attributes up to opset 10, then inputs; NaN stands for an absent input. */
const clip: Op = (a, b, c, number) => {
  const [low, high] = [
    Number.isNaN(b) ? number('min', -Infinity) : b,
    Number.isNaN(c) ? number('max', Infinity) : c,
  ];
  return Math.min(Math.max(a, low), high);
};

/** BatchNormalization of scalars, which is the same on every channel. */
const normalize: Op = (x, scale, shift, number, _node, mean = Number.NaN, variance = Number.NaN) =>
  ((x - mean) / Math.sqrt(variance + number('epsilon', 1e-5))) * scale + shift;

const NAMES = new Set(
  [UNARY, BINARY, VARIADIC, { Where: 0, Clip: 0, BatchNormalization: 0 }].flatMap((table) =>
    Object.keys(table),
  ),
);

/** Returns whether `elementwise` supports an operator. */
export function isElementwise({ opType, domain }: Pick<Node, 'opType' | 'domain'>): boolean {
  return NAMES.has(domain === '' ? opType : `${domain}.${opType}`);
}

/** Finds the function of an elementwise node with one output; undefined for any other node. */
export function elementwise(node: Node): Op | undefined {
  const { opType, domain, inputs, outputs } = node;
  const name = domain === '' ? opType : `${domain}.${opType}`;
  const count = inputs.length;
  if (outputs.length !== 1 || count < 1 || inputs[0] === '') return undefined;
  if (name === 'BatchNormalization') return count === 5 && isInference(node) ? normalize : undefined;
  if (count > 3) return undefined;
  if (name === 'Clip') return clip;
  if (inputs.includes('')) return undefined;
  const table = count === 1 ? UNARY : count === 2 ? BINARY : {};
  const op = Object.hasOwn(table, name) ? table[name] : undefined;
  if (op !== undefined) return name === 'Cast' && !isFloatOrBoolCast(node) ? undefined : op;
  const fold = Object.hasOwn(VARIADIC, name) && count > 1 ? VARIADIC[name] : undefined;
  if (fold !== undefined) return count === 2 ? (a, b) => fold(a, b) : (a, b, c) => fold(fold(a, b), c);
  return name === 'Where' && count === 3 ? where : undefined;
}

/** Returns whether a BatchNormalization takes the mean and variance that it is given. */
function isInference(node: Node): boolean {
  return ['training_mode', 'is_test', 'spatial'].every((name) => attribute(node, name) === undefined);
}

/** Returns whether a Cast is to a float type or to bool. */
function isFloatOrBoolCast(node: Node): boolean {
  const to = attribute(node, 'to')?.i;
  return to === DataType.BOOL || floatType(to) !== undefined;
}

/**
 * Reads the number attributes of a node; `call` gives those that refer to attributes of the function. NaN for a number that the call
 * does not give.
 */
export function numbersOf(node: Node, call?: Node): Numbers {
  return (name, otherwise) => {
    const given = attribute(node, name);
    if (given === undefined) return otherwise;
    const found = given.ref === undefined ? given : call && attribute(call, given.ref);
    if (found === undefined || found.ref !== undefined) return Number.NaN;
    return found.type === INT ? found.i : found.f;
  };
}

/** AttributeProto.AttributeType of an integer. */
const INT = 2;
