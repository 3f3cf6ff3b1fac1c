import type { ReplacementName } from './activation-kinds.js';
import { elu, gelu, hardSwish } from './elementwise.js';
import { FORMS, type Form, SHARPEN, type Step, type Variant } from './forms.js';
import { MISH, type NewActivation } from './new-activation.js';
import { leakyRelu, mixture, relu, sigmoid } from './reference.js';

/** An activation that a swap writes. `KINDS` has the kind with the same name, which recognises it. */
export interface Activation extends Omit<NewActivation, 'recipes'> {
  /** Forms, the best first. The emitter reads them; the last has the lowest opset. */
  readonly forms: readonly Form<string>[];
  /** Computes the activation in float64. */
  readonly f: (x: number, variant: Variant) => number;
  /** The option that changes the function. */
  readonly parameter?: 'beta' | 'alpha';
  /** Whether every input below a bound gives zero. */
  readonly hasZeros?: boolean;
}

type Parts = Pick<Form, 'types' | 'steps'> & Partial<Pick<Form, 'opset' | 'constants' | 'limits'>>;

/** The slope of LeakyReLU, as ONNX's operator has it by default. */
export const DEFAULT_SLOPE = 0.01;

/** Returns the first opset in which the operators take each type. */
const since = (bf16: number, opset = 1) => ({ f16: opset, f32: opset, f64: opset, bf16 });
const form = (activation: ReplacementName, name: string, parts: Parts): Form<string> => {
  const summary = parts.steps.map(({ op }) => op).join(', ');
  return { opset: 1, constants: {}, limits: [], ...parts, name, activation, summary };
};
const single = (op: string, attributes: Pick<Step, 'attributes'> = {}): readonly Step[] => [
  { op, inputs: ['x'], output: 'y', ...attributes },
];
/** Returns the limit that an operator takes no float64 on CPU and WASM, which have the same kernels. */
const noFloat64 = (op: string, before: { readonly before?: number } = {}) =>
  ({ on: ['cpu', 'wasm'], type: 'f64', says: `ONNX Runtime has no ${op} for float64`, ...before }) as const;
const notOnWebgl = (op: string) =>
  ({ on: ['webgl'], says: `ONNX Runtime Web has no ${op} on WebGL` }) as const;

/** The parts of x above and below zero: relu(x) and relu(-x). */
const HALVES: readonly Step[] = [
  { op: 'Relu', inputs: ['x'], output: 'above' },
  { op: 'Neg', inputs: ['x'], output: 'negated' },
  { op: 'Relu', inputs: ['negated'], output: 'below' },
];

export const ACTIVATIONS: Readonly<Record<ReplacementName, Activation>> = {
  mish: {
    ...MISH,
    forms: Object.values(FORMS),
    f: (x, { beta, leak = 0 }) => mixture(x, beta, leak),
    parameter: 'beta',
  },
  relu: {
    name: 'relu',
    label: 'ReLU',
    forms: [form('relu', 'native', { types: since(13), steps: single('Relu') })],
    f: relu,
    hasZeros: true,
  },
  leakyrelu: {
    name: 'leakyrelu',
    label: 'LeakyReLU',
    atMinusInfinity: '-Infinity',
    forms: [
      form('leakyrelu', 'native', {
        types: since(16),
        steps: single('LeakyRelu', { attributes: { alpha: 'slope' } }),
        limits: [noFloat64('LeakyRelu')],
      }),
      form('leakyrelu', 'relu', {
        types: since(13),
        steps: [
          ...HALVES,
          { op: 'Mul', inputs: ['below', 'slope'], output: 'scaled' },
          { op: 'Sub', inputs: ['above', 'scaled'], output: 'y' },
        ],
        constants: { slope: 'slope' },
      }),
    ],
    f: (x, { leak = DEFAULT_SLOPE }) => leakyRelu(x, leak),
    parameter: 'alpha',
  },
  swish: {
    name: 'swish',
    label: 'Swish',
    atMinusInfinity: 'NaN',
    forms: [
      form('swish', 'sigmoid', {
        types: since(13),
        steps: [
          SHARPEN,
          { op: 'Sigmoid', inputs: ['sharp'], output: 'sigmoid' },
          { op: 'Mul', inputs: ['x', 'sigmoid'], output: 'y' },
        ],
        constants: { beta: 'beta' },
      }),
    ],
    f: (x, { beta }) => x * sigmoid(beta * x),
    parameter: 'beta',
  },
  gelu: {
    name: 'gelu',
    label: 'GELU',
    atMinusInfinity: 'NaN',
    forms: [
      form('gelu', 'native', {
        opset: 20,
        types: since(20, 20),
        steps: single('Gelu'),
        limits: [noFloat64('Gelu'), notOnWebgl('Gelu')],
      }),
      form('gelu', 'erf', {
        opset: 9,
        types: since(13, 9),
        steps: [
          { op: 'Div', inputs: ['x', 'sqrt2'], output: 'scaled' },
          { op: 'Erf', inputs: ['scaled'], output: 'erf' },
          { op: 'Add', inputs: ['erf', 'one'], output: 'gate' },
          { op: 'Mul', inputs: ['x', 'half'], output: 'half_x' },
          { op: 'Mul', inputs: ['half_x', 'gate'], output: 'y' },
        ],
        constants: { sqrt2: Math.SQRT2, one: 1, half: 0.5 },
        limits: [noFloat64('Erf'), notOnWebgl('Erf')],
      }),
    ],
    f: gelu,
  },
  hardswish: {
    name: 'hardswish',
    label: 'HardSwish',
    atMinusInfinity: 'NaN',
    forms: [
      form('hardswish', 'native', {
        opset: 14,
        types: since(22, 14),
        steps: single('HardSwish'),
        limits: [noFloat64('HardSwish'), notOnWebgl('HardSwish')],
      }),
      form('hardswish', 'clip', {
        types: since(13),
        steps: [
          { op: 'Add', inputs: ['x', 'three'], output: 'shifted' },
          { op: 'Clip', inputs: ['shifted', 'zero', 'cap'], output: 'clip' },
          { op: 'Div', inputs: ['clip', 'cap'], output: 'gate' },
          { op: 'Mul', inputs: ['x', 'gate'], output: 'y' },
        ],
        constants: { three: 3, zero: 0, cap: 6 },
        limits: [noFloat64('Clip', { before: 12 })],
      }),
    ],
    f: hardSwish,
    hasZeros: true,
  },
  elu: {
    name: 'elu',
    label: 'ELU',
    forms: [
      form('elu', 'native', { types: since(22), steps: single('Elu'), limits: [noFloat64('Elu')] }),
      form('elu', 'exp', {
        types: since(13),
        steps: [
          ...HALVES,
          { op: 'Neg', inputs: ['below'], output: 'least' },
          { op: 'Exp', inputs: ['least'], output: 'exp' },
          { op: 'Sub', inputs: ['exp', 'one'], output: 'tail' },
          { op: 'Add', inputs: ['above', 'tail'], output: 'y' },
        ],
        constants: { one: 1 },
      }),
    ],
    f: (x) => elu(x, 1),
  },
};

/** Returns the name of an activation in a sentence, Mish without one; the given name if it is unknown. */
export function activationLabel(to = 'mish'): string {
  return Object.hasOwn(ACTIVATIONS, to) ? ACTIVATIONS[to as ReplacementName].label : to;
}
