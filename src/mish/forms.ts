import { roundTo } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';

export type FormName = 'softplus' | 'exp' | 'native';

/** The execution providers a form can be chosen for. */
export const TARGETS = ['cpu', 'wasm', 'webgl', 'webgpu', 'cuda'] as const;
export type Target = (typeof TARGETS)[number];

/** What is Mish, sharpened Mish, or a mixture. */
export interface Variant {
  /** Sharpness β of x · tanh(softplus(βx)); 1 is Mish. */
  readonly beta: number;
  /** Slope α of the mixture αx + (1 - α) · mish, which tends to LeakyReLU as β grows; undefined for Mish itself. */
  readonly leak?: number | undefined;
}

/** The steepest slope of a mixture: no LeakyReLU has more, and exp's bound in f16 hides that of 2α no longer. */
export const STEEPEST = 8;

/** What a constant can be made of, with α as the element type holds it, so that α and 1 - α add up. */
const DERIVED = {
  beta: ({ beta }: Required<Variant>) => beta,
  alpha: ({ leak }: Required<Variant>) => leak ?? 0,
  '2alpha': ({ leak }: Required<Variant>) => 2 * (leak ?? 0),
  '1-alpha': ({ leak }: Required<Variant>) => 1 - (leak ?? 0),
  '(1-alpha)/beta': ({ beta, leak }: Required<Variant>) => (1 - (leak ?? 0)) / beta,
};

/** A constant of a recipe: one number, one per element type, or what is made from sharpness and slope. */
export type Constant = number | Readonly<Record<FloatType, number>> | keyof typeof DERIVED;

/**
 * One node of a recipe. Operands are names: `x` is the site's input, `y` its output, a key of `constants`
 * a scalar, anything else the output of an earlier step. A constant comes last, as opsets before 7 can
 * only broadcast their second operand.
 */
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Only there for β ≠ 1, for a mixture, or for either; without it the step's output is its first input. */
  readonly only?: 'sharp' | 'mixture' | 'either';
}

/** A way to write Mish in ONNX nodes. Emitting, recognising and describing it all read this. */
export interface Form {
  readonly name: FormName;
  readonly summary: string;
  /** The first opset that has every operator. */
  readonly opset: number;
  /** The first opset in which every operator of the recipe takes this element type. */
  readonly types: Readonly<Record<FloatType, number>>;
  readonly steps: readonly Step[];
  readonly constants: Readonly<Record<string, Constant>>;
  /** Where ONNX Runtime cannot run it, or runs it slowly; for which element types and before which opset, if not all. */
  readonly limits: readonly {
    readonly on: readonly Target[];
    readonly type?: FloatType;
    readonly before?: number;
    readonly says: string;
  }[];
}

const SHARPEN: Step = { op: 'Mul', inputs: ['x', 'beta'], output: 'sharp', only: 'sharp' };

/** tanh(ln(1 + e)) = w / (w + 2) with w = e(e + 2); at and above these values it rounds to 1. */
const CAP = { f16: 5.5, f32: 20, f64: 20, bf16: 20 };
/** The lowest finite value. Clip could leave it out, but not on WebGL. */
const FLOOR = {
  f16: -65504,
  f32: -(2 - 2 ** -23) * 2 ** 127,
  f64: -Number.MAX_VALUE,
  bf16: -(2 - 2 ** -7) * 2 ** 127,
};

export const FORMS: Readonly<Record<FormName, Form>> = {
  softplus: {
    name: 'softplus',
    summary: 'Softplus, Tanh, Mul: the textbook subgraph, which other tools recognise; best on GPUs',
    opset: 1,
    types: { f16: 1, f32: 1, f64: 1, bf16: 22 },
    steps: [
      SHARPEN,
      { op: 'Softplus', inputs: ['sharp'], output: 'softplus' },
      { op: 'Tanh', inputs: ['softplus'], output: 'tanh' },
      { op: 'Mul', inputs: ['tanh', '1-alpha'], output: 'share', only: 'mixture' },
      { op: 'Add', inputs: ['share', 'alpha'], output: 'gate', only: 'mixture' },
      { op: 'Mul', inputs: ['x', 'gate'], output: 'y' },
    ],
    constants: { beta: 'beta', alpha: 'alpha', '1-alpha': '1-alpha' },
    limits: [
      { on: ['webgl'], says: 'ONNX Runtime Web has no Softplus on WebGL' },
      { on: ['cpu', 'wasm'], type: 'f64', says: 'ONNX Runtime has no Softplus for float64' },
      { on: ['cpu', 'wasm'], says: 'ONNX Runtime’s Softplus is slow' },
    ],
  },
  exp: {
    name: 'exp',
    summary:
      'x · w / (w + 2) with w = e^x (e^x + 2): the same function exactly; fastest on CPU and WASM, runs on WebGL',
    opset: 1,
    types: { f16: 1, f32: 1, f64: 1, bf16: 13 },
    steps: [
      SHARPEN,
      { op: 'Clip', inputs: ['sharp', 'floor', 'cap'], output: 'clip' },
      { op: 'Exp', inputs: ['clip'], output: 'exp' },
      { op: 'Add', inputs: ['exp', 'two'], output: 'exp_plus_2' },
      { op: 'Mul', inputs: ['exp', 'exp_plus_2'], output: 'w' },
      { op: 'Add', inputs: ['w', 'two'], output: 'w_plus_2' },
      // α + (1 - α) w / (w + 2) = (w + 2α) / (w + 2)
      { op: 'Add', inputs: ['w', '2alpha'], output: 'w_plus_2alpha', only: 'mixture' },
      { op: 'Div', inputs: ['w_plus_2alpha', 'w_plus_2'], output: 'ratio' },
      { op: 'Mul', inputs: ['x', 'ratio'], output: 'y' },
    ],
    constants: { beta: 'beta', floor: FLOOR, cap: CAP, two: 2, '2alpha': '2alpha' },
    limits: [
      { on: ['cpu', 'wasm'], type: 'f64', before: 12, says: 'ONNX Runtime has no Clip for float64' },
      { on: ['webgpu', 'cuda'], says: 'seven small kernels cost more than three on a GPU' },
    ],
  },
  native: {
    name: 'native',
    summary: 'Mish: ONNX’s own operator since opset 18; one node',
    opset: 18,
    types: { f16: 18, f32: 18, f64: 18, bf16: 22 },
    steps: [
      SHARPEN,
      { op: 'Mish', inputs: ['sharp'], output: 'mish' },
      { op: 'Mul', inputs: ['mish', 'scale'], output: 'share', only: 'either' },
      { op: 'Mul', inputs: ['x', 'alpha'], output: 'slope', only: 'mixture' },
      { op: 'Add', inputs: ['share', 'slope'], output: 'y', only: 'mixture' },
    ],
    constants: { beta: 'beta', scale: '(1-alpha)/beta', alpha: 'alpha' },
    limits: [
      { on: ['webgl'], says: 'ONNX Runtime Web has no Mish on WebGL' },
      { on: ['cpu', 'wasm'], type: 'f64', says: 'ONNX Runtime has no Mish for float64' },
      { on: ['cpu', 'wasm'], says: 'ONNX Runtime expands it to the slow softplus form' },
    ],
  },
};

/** The form for a provider. Backed by test/bench/forms.md. */
export const FORM_FOR: Readonly<Record<Target, FormName>> = {
  cpu: 'exp',
  wasm: 'exp',
  webgl: 'exp',
  webgpu: 'softplus',
  cuda: 'softplus',
};

/**
 * The steps for β ≠ 1 or 1, and for a mixture or Mish itself: without those that are only for the other, and with
 * operands renamed to match.
 */
export function stepsOf(form: Form, sharp: boolean, mixture = false): Step[] {
  const wanted = { sharp, mixture, either: sharp || mixture };
  const alias = new Map<string, string>();
  const rename = (name: string): string => {
    const other = alias.get(name);
    return other === undefined ? name : rename(other);
  };
  const steps = form.steps.filter(({ only, inputs, output }) => {
    if (only === undefined || wanted[only]) return true;
    const from = rename(inputs[0] ?? '');
    // Whichever of the two names is fixed (x or y) is the one that stays.
    if (output === 'y') alias.set(from, 'y');
    else alias.set(output, from);
    return false;
  });
  return steps.map((step) => ({ ...step, inputs: step.inputs.map(rename), output: rename(step.output) }));
}

/** The value of a recipe's constant for an element type, a sharpness, and the slope of a mixture. */
export function constantValue(constant: Constant, type: FloatType, beta: number, leak?: number): number {
  if (typeof constant === 'number') return constant;
  if (typeof constant !== 'string') return constant[type];
  return DERIVED[constant]({ beta, leak: leak === undefined ? leak : roundTo(leak, type) });
}
