import { attribute, type Node } from '../../onnx/document.js';
import { DataType } from '../../onnx/types.js';
import {
  complement,
  finite,
  finiteBothWays,
  type Gradient,
  type Gradients,
  minus,
  NO_GRADIENT,
  one,
  over,
  plus,
  positiveDivisor,
  reluMask,
  scaled,
  sign,
  square,
  times,
  unbroadcast,
  zero,
} from './rule.js';
import type { Tape } from './tape.js';

/** Returns the rule of an operator with a single operand, from its derivative. */
function unary(derivative: (tape: Tape, x: string, y: string, node: Node) => string): Gradient {
  return (tape, node, g) => {
    return [times(tape, g, derivative(tape, node.inputs[0] ?? '', node.outputs[0] ?? '', node))];
  };
}

/** Returns the rule of an operator with two broadcast operands, from the gradients in the output's shape. */
function binary(
  each: (tape: Tape, g: string, a: string, b: string, y: string) => [string, string],
): Gradient {
  return (tape, node, g) => {
    const [a = '', b = ''] = node.inputs;
    const y = node.outputs[0] ?? '';
    const [ga, gb] = each(tape, g, a, b, y);
    const dims = tape.dims(y);
    return [unbroadcast(tape, ga, dims, tape.dims(a)), unbroadcast(tape, gb, dims, tape.dims(b))];
  };
}

/** Returns the rule of an operator that adds its operands with equal factors. */
const added = (share: (operands: number) => number): Gradient => {
  return (tape, node, g) => {
    const all = scaled(tape, g, share(node.inputs.length));
    const dims = tape.dims(node.outputs[0] ?? '');
    return node.inputs.map((name) => unbroadcast(tape, all, dims, tape.dims(name)));
  };
};

/** Passes the gradient of Max or Min to the selected operand, or in equal parts to equal operands. */
const chosen: Gradient = (tape, node, g) => {
  const y = node.outputs[0] ?? '';
  const masks = node.inputs.map((name) => tape.mask('Equal', name, y));
  const share = masks.length === 1 ? g : over(tape, g, tape.total(masks));
  const dims = tape.dims(y);
  return node.inputs.map((name, slot) =>
    unbroadcast(tape, times(tape, share, masks[slot] ?? ''), dims, tape.dims(name)),
  );
};

const clip: Gradient = (tape, node, g) => {
  const [x = '', low = '', high = ''] = node.inputs;
  const bound = (name: string, key: string) => {
    const value = attribute(node, key)?.f;
    if (name !== '') return name;
    return value === undefined ? undefined : tape.floats([value]);
  };
  const [min, max] = [bound(low, 'min'), bound(high, 'max')];
  let kept = g;
  if (min !== undefined) kept = times(tape, kept, tape.mask('Greater', x, min));
  if (max !== undefined) kept = times(tape, kept, tape.mask('Less', x, max));
  const dims = tape.dims(x);
  const ofBound = (name: string, comparison: 'Less' | 'Greater') =>
    name === ''
      ? undefined
      : unbroadcast(tape, times(tape, g, tape.mask(comparison, x, name)), dims, tape.dims(name));
  return [kept, ofBound(low, 'Less'), ofBound(high, 'Greater')];
};

const where: Gradient = (tape, node, g) => {
  const [condition = '', a = '', b = ''] = node.inputs;
  const dims = tape.dims(node.outputs[0] ?? '');
  const zeros = zero(tape);
  const to = (name: string, given: readonly string[]) =>
    unbroadcast(tape, tape.node('Where', given), dims, tape.dims(name));
  return [undefined, to(a, [condition, g, zeros]), to(b, [condition, zeros, g])];
};

const prelu: Gradient = (tape, node, g) => {
  const [x = '', slope = ''] = node.inputs;
  const above0 = tape.mask('Greater', x, zero(tape));
  const negative = complement(tape, above0);
  const gSlope = times(tape, g, times(tape, x, negative));
  return [
    times(tape, g, plus(tape, above0, times(tape, negative, slope))),
    unbroadcast(tape, gSlope, tape.dims(x), tape.dims(slope)),
  ];
};

const positive = (tape: Tape, x: string) => tape.mask('Greater', x, zero(tape));
/** Adds a derivative: 1 where the mask is 1, else `below`. */
const above = (tape: Tape, mask: string, below: string) =>
  plus(tape, mask, times(tape, complement(tape, mask), below));
const number = (node: Node, name: string, otherwise: number) => attribute(node, name)?.f ?? otherwise;

const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;
/** From this x on, Mish equals x in float32; below it, e^x does not overflow. */
const MISH_LINEAR = 20;

/** Adds Mish's derivative, 1 - h + x h² e^x (1 + e^x) with d = (1 + e^x)² + 1 and h = 2 / d, where Mish is x (1 - h). */
function mishDerivative(tape: Tape, x: string): string {
  const e = tape.node('Exp', [tape.node('Min', [x, tape.floats([MISH_LINEAR])])]);
  const e1 = plus(tape, e, one(tape));
  const h = over(tape, tape.floats([2]), plus(tape, square(tape, e1), one(tape)));
  const steep = times(tape, times(tape, x, square(tape, h)), times(tape, e, e1));
  return plus(tape, complement(tape, h), steep);
}

function geluDerivative(tape: Tape, x: string, node: Node): string {
  if (attribute(node, 'approximate')?.s !== 'tanh') {
    const half = scaled(tape, plus(tape, tape.node('Erf', [scaled(tape, x, Math.SQRT1_2)]), one(tape)), 0.5);
    const density = tape.node('Exp', [scaled(tape, square(tape, x), -0.5)]);
    return plus(tape, half, scaled(tape, times(tape, x, density), 1 / Math.sqrt(2 * Math.PI)));
  }
  // y = x (1 + t) / 2 with t = tanh(c (x + a x³)).
  const [c, a] = [Math.sqrt(2 / Math.PI), 0.044715];
  const squares = square(tape, x);
  const inner = times(tape, x, plus(tape, scaled(tape, squares, c * a), tape.floats([c])));
  const t = tape.node('Tanh', [inner]);
  const slope = plus(tape, scaled(tape, squares, 3 * c * a), tape.floats([c]));
  const curved = times(tape, times(tape, x, complement(tape, square(tape, t))), slope);
  return scaled(tape, plus(tape, plus(tape, t, one(tape)), curved), 0.5);
}

function hardSwishDerivative(tape: Tape, x: string): string {
  const [low, high] = [tape.mask('Greater', x, tape.floats([-3])), tape.mask('Less', x, tape.floats([3]))];
  const middle = plus(tape, scaled(tape, x, 1 / 3), tape.floats([0.5]));
  return above(tape, complement(tape, high), times(tape, low, middle));
}

const reciprocal = (tape: Tape, x: string) => tape.node('Reciprocal', [positiveDivisor(tape, x)]);
const reciprocalRoot = (tape: Tape, x: string) =>
  tape.node('Reciprocal', [tape.node('Sqrt', [positiveDivisor(tape, x)])]);

/** The gradients of a / b. Where b is 0, the result is not finite; its gradient is finite then, for a Where that hides the result. */
const div: Gradient = (tape, node, g) => {
  const [a = '', b = ''] = node.inputs;
  const y = node.outputs[0] ?? '';
  const [dims, ofB] = [tape.dims(y), tape.dims(b)];
  const isSafe = tape.constant(b)?.every((divisor) => divisor !== 0) ?? false;
  const isZero = isSafe ? '' : tape.flags('Equal', b, zero(tape));
  const without = (x: string, other: string) => (isSafe ? x : tape.node('Where', [isZero, other, x]));
  const share = over(tape, g, without(b, one(tape)));
  const sum = unbroadcast(tape, tape.node('Neg', [times(tape, share, y)]), dims, ofB);
  return [unbroadcast(tape, share, dims, tape.dims(a)), without(sum, zero(tape))];
};

/** The derivative of a ^ b by a, b a^(b - 1). */
function powerDerivative(tape: Tape, a: string, b: string): string {
  const constant = tape.constant(b);
  if (constant?.every((value) => value === 2)) return scaled(tape, a, 2);
  // An exponent may be an integer.
  const exponent = tape.node('Cast', [b], { to: DataType.FLOAT });
  const lower = tape.node('Pow', [a, minus(tape, exponent, one(tape))]);
  if (constant?.every((value) => value >= 1 && Number.isInteger(value))) return times(tape, exponent, lower);
  const defined = tape.node('Where', [tape.node('IsNaN', [lower]), zero(tape), lower]);
  return times(tape, exponent, finiteBothWays(tape, defined));
}

/** The gradients of elementwise operators. */
export const ELEMENTWISE: Gradients = {
  Add: binary((_, g) => [g, g]),
  Sub: binary((tape, g) => [g, tape.node('Neg', [g])]),
  Mul: binary((tape, g, a, b) => [times(tape, g, b), times(tape, g, a)]),
  Div: div,
  // Where a is not positive, the derivative by b is 0, as PyTorch has it for 0, or undefined.
  Pow: binary((tape, g, a, b, y) => {
    const byExponent = tape.node('Where', [
      tape.flags('Greater', a, zero(tape)),
      times(tape, y, tape.node('Log', [a])),
      zero(tape),
    ]);
    return [times(tape, g, powerDerivative(tape, a, b)), times(tape, g, byExponent)];
  }),
  // y = a - b × trunc(a / b); integers have no gradient.
  Mod: binary((tape, g, a, b, y) => [
    g,
    tape.node('Neg', [times(tape, g, over(tape, minus(tape, a, y), b))]),
  ]),
  Max: chosen,
  Min: chosen,
  Sum: added(() => 1),
  Mean: added((operands) => 1 / operands),
  Where: where,
  Identity: (_, __, g) => [g],
  Dropout: (_, __, g) => [g],
  Cast: (_, node, g) => [attribute(node, 'to')?.i === 1 ? g : undefined],
  // A tensor without a gradient is of another type; then no gradient arrives here.
  CastLike: (_, __, g) => [g, NO_GRADIENT],
  Neg: (tape, _, g) => [tape.node('Neg', [g])],
  Clip: clip,
  PRelu: prelu,
  Abs: unary(sign),
  Reciprocal: unary((tape, _, y) => tape.node('Neg', [finite(tape, square(tape, y))])),
  Exp: unary((tape, _, y) => finite(tape, y)),
  Log: unary(reciprocal),
  Sqrt: unary((tape, x) => scaled(tape, reciprocalRoot(tape, x), 0.5)),
  Sin: unary((tape, x) => tape.node('Cos', [x])),
  Cos: unary((tape, x) => tape.node('Neg', [tape.node('Sin', [x])])),
  Tan: unary((tape, _, y) => plus(tape, square(tape, y), one(tape))),
  Asin: unary((tape, x) => reciprocalRoot(tape, complement(tape, square(tape, x)))),
  Acos: unary((tape, x) => tape.node('Neg', [reciprocalRoot(tape, complement(tape, square(tape, x)))])),
  Atan: unary((tape, x) => tape.node('Reciprocal', [plus(tape, square(tape, x), one(tape))])),
  Sinh: unary((tape, x) => tape.node('Cosh', [x])),
  Cosh: unary((tape, x) => tape.node('Sinh', [x])),
  Tanh: unary((tape, _, y) => complement(tape, square(tape, y))),
  Asinh: unary((tape, x) => reciprocalRoot(tape, plus(tape, square(tape, x), one(tape)))),
  Acosh: unary((tape, x) => reciprocalRoot(tape, minus(tape, square(tape, x), one(tape)))),
  Atanh: unary((tape, x) => reciprocal(tape, complement(tape, square(tape, x)))),
  Erf: unary((tape, x) => {
    const density = tape.node('Exp', [tape.node('Neg', [square(tape, x)])]);
    return scaled(tape, density, 2 / Math.sqrt(Math.PI));
  }),
  Sigmoid: unary((tape, _, y) => times(tape, y, complement(tape, y))),
  Softplus: unary((tape, x) => tape.node('Sigmoid', [x])),
  Softsign: unary((tape, x) => {
    const wide = plus(tape, tape.node('Abs', [x]), one(tape));
    return tape.node('Reciprocal', [square(tape, wide)]);
  }),
  Relu: unary((tape, _, y) => reluMask(tape, y)),
  LeakyRelu: unary((tape, x, _, node) => {
    const alpha = number(node, 'alpha', 0.01);
    return plus(tape, scaled(tape, positive(tape, x), 1 - alpha), tape.floats([alpha]));
  }),
  ThresholdedRelu: unary((tape, x, _, node) =>
    tape.mask('Greater', x, tape.floats([number(node, 'alpha', 1)])),
  ),
  Shrink: unary((tape, x, _, node) =>
    tape.mask('Greater', tape.node('Abs', [x]), tape.floats([number(node, 'lambd', 0.5)])),
  ),
  Elu: unary((tape, x, y, node) =>
    above(tape, positive(tape, x), plus(tape, y, tape.floats([number(node, 'alpha', 1)]))),
  ),
  Celu: unary((tape, x, y, node) =>
    above(tape, positive(tape, x), plus(tape, scaled(tape, y, 1 / number(node, 'alpha', 1)), one(tape))),
  ),
  Selu: unary((tape, x, y, node) => {
    const [alpha, gamma] = [number(node, 'alpha', SELU_ALPHA), number(node, 'gamma', SELU_GAMMA)];
    const mask = positive(tape, x);
    const below = times(tape, complement(tape, mask), plus(tape, y, tape.floats([alpha * gamma])));
    return plus(tape, scaled(tape, mask, gamma), below);
  }),
  HardSigmoid: unary((tape, _, y, node) => {
    const inside = times(tape, positive(tape, y), tape.mask('Less', y, one(tape)));
    return scaled(tape, inside, number(node, 'alpha', 0.2));
  }),
  HardSwish: unary(hardSwishDerivative),
  Swish: unary((tape, x, _, node) => {
    const alpha = number(node, 'alpha', 1);
    const s = tape.node('Sigmoid', [scaled(tape, x, alpha)]);
    return plus(tape, s, scaled(tape, times(tape, times(tape, x, s), complement(tape, s)), alpha));
  }),
  Gelu: unary((tape, x, _, node) => geluDerivative(tape, x, node)),
  Mish: unary(mishDerivative),
};
