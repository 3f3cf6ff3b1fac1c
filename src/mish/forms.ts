import type { onnx } from '../../proto/onnx.js';
import { roundTo } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';

export type FormName = 'softplus' | 'exp' | 'native' | 'sigmoid' | 'tanh' | 'hard';

/** The execution providers that a form can be chosen for. */
export const TARGETS = ['cpu', 'wasm', 'webgl', 'webgpu', 'cuda'] as const;
export type Target = (typeof TARGETS)[number];

/** Parameters of Mish, sharpened Mish, or a mixture. */
export interface Variant {
  /** Sharpness β of x · tanh(softplus(βx)); 1 is Mish. */
  readonly beta: number;
  /**
   * Slope α of LeakyReLU, or of the mixture αx + (1 - α) · mish, which tends to LeakyReLU as β grows; undefined for Mish
   * itself.
   */
  readonly leak?: number | undefined;
}

/** Largest |α| of a mixture. Beyond 8, the cap of the exp form would show in float16 results. */
export const MAX_SLOPE = 8;

/**
 * Constants derived from α and β. Except for the slope of LeakyReLU, α is rounded to the element type first, so that α and
 * 1 - α add up to 1.
 */
const DERIVED = {
  beta: ({ beta }: Required<Variant>) => beta,
  alpha: ({ leak }: Required<Variant>) => leak ?? 0,
  slope: ({ leak }: Required<Variant>) => leak ?? 0,
  '2alpha': ({ leak }: Required<Variant>) => 2 * (leak ?? 0),
  '1-alpha': ({ leak }: Required<Variant>) => 1 - (leak ?? 0),
  '(1-alpha)/beta': ({ beta, leak }: Required<Variant>) => (1 - (leak ?? 0)) / beta,
};

/** A constant of a recipe: a number, a number per element type, a multiple of β, or the name of a derived constant. */
type Constant =
  | number
  | Readonly<Record<FloatType, number>>
  | { readonly timesBeta: number }
  | keyof typeof DERIVED;

/**
 * One node of a recipe. Operands are names: `x` is the site's input, `y` its output, a key of `constants`
 * a scalar. Any other name is an earlier step's output. A constant comes last: before opset 7, only the
 * second operand broadcasts.
 */
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Condition for the step: β ≠ 1, a mixture, or either. An omitted step's output stands for its first input. */
  readonly only?: 'sharp' | 'mixture' | 'either';
  /** Float attributes. */
  readonly attributes?: Readonly<Record<string, Constant>>;
}

/** The channels of a site. */
export interface Channels {
  readonly count: number;
  /** Returns the nodes of a vector with an element per channel, each of this value. */
  vector(name: string, value: number, type: FloatType): onnx.INodeProto[];
}

/** A way to write an activation as ONNX nodes. The emitter, the recogniser and the reports all read this data. */
export interface Form<Name extends string = FormName> {
  readonly name: Name;
  /** The activation; Mish if absent. */
  readonly activation?: string;
  readonly summary: string;
  /** The first opset that has every operator. */
  readonly opset: number;
  /** The first opset in which every operator of the recipe takes this element type. */
  readonly types: Readonly<Record<FloatType, number>>;
  readonly steps: readonly Step[];
  readonly constants: Readonly<Record<string, Constant>>;
  /** Largest difference from Mish over all numbers, for β = 1; absent for an exact form. */
  readonly bound?: number;
  /** How far below zero an approximate form goes, for β = 1. */
  readonly depth?: number;
  /** How BatchNormalization, the step of a form on channels, gets its constants. */
  readonly channels?: Channels;
  /** Providers where ONNX Runtime cannot run the form, or runs it slowly; may be limited to an element type or older opsets. */
  readonly limits: readonly {
    readonly on: readonly Target[];
    readonly type?: FloatType;
    readonly before?: number;
    readonly says: string;
  }[];
}

export const SHARPEN: Step = { op: 'Mul', inputs: ['x', 'beta'], output: 'sharp', only: 'sharp' };

/** Input from which w / (w + 2) rounds to 1, where w = e(e + 2), e = e^x, and w / (w + 2) = tanh(ln(1 + e)). */
const CAP = { f16: 5.5, f32: 20, f64: 20, bf16: 20 };
/** The lowest finite value. WebGL's Clip needs a lower bound. */
export const FLOOR = {
  f16: -65504,
  f32: -(2 - 2 ** -23) * 2 ** 127,
  f64: -Number.MAX_VALUE,
  bf16: -(2 - 2 ** -7) * 2 ** 127,
};

/** Returns the steps of scale · x + shift. */
const affine = (x: string, scale: string, shift: string, output: string): Step[] => [
  { op: 'Mul', inputs: [x, scale], output: scale + x },
  { op: 'Add', inputs: [scale + x, shift], output },
];
/** The last steps of x · s or, for a mixture, x · (α + (1 - α) s). */
const GATE: readonly Step[] = [
  { op: 'Mul', inputs: ['s', '1-alpha'], output: 'share', only: 'mixture' },
  { op: 'Add', inputs: ['share', 'alpha'], output: 'gate', only: 'mixture' },
  { op: 'Mul', inputs: ['x', 'gate'], output: 'y' },
];
/** The last steps of the approximations x · σ(z). */
const GATED: readonly Step[] = [{ op: 'Sigmoid', inputs: ['z'], output: 's' }, ...GATE];
const MIXED = { alpha: 'alpha', '1-alpha': '1-alpha' } as const;
const APPROXIMATE = { opset: 1, types: { f16: 1, f32: 1, f64: 1, bf16: 13 }, limits: [] };

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
  // test/generate/approximate-forms.py found the constants of the approximations.
  sigmoid: {
    ...APPROXIMATE,
    name: 'sigmoid',
    summary: 'x · σ(ax + b): within 0.0312 of Mish',
    steps: [...affine('x', 'a', 'b', 'z'), ...GATED],
    constants: { a: { timesBeta: 1.26265 }, b: 0.57393, ...MIXED },
    bound: 0.0312,
    depth: 0.338,
  },
  tanh: {
    ...APPROXIMATE,
    name: 'tanh',
    summary: 'x · σ(x + c · tanh(ax + b) + d): within 0.00083 of Mish',
    steps: [
      SHARPEN,
      ...affine('sharp', 'a', 'b', 't'),
      { op: 'Tanh', inputs: ['t'], output: 'tanh' },
      ...affine('tanh', 'c', 'd', 'bend'),
      { op: 'Add', inputs: ['bend', 'sharp'], output: 'z' },
      ...GATED,
    ],
    constants: { beta: 'beta', a: 0.43294, b: -1.05535, c: 1.94026, d: 1.9246, ...MIXED },
    bound: 0.00083,
    depth: 0.31,
  },
  hard: {
    name: 'hard',
    summary: 'x · HardSigmoid(x): within 0.147 of Mish',
    opset: 6,
    types: { f16: 6, f32: 6, f64: 6, bf16: 22 },
    steps: [
      {
        op: 'HardSigmoid',
        inputs: ['x'],
        output: 's',
        attributes: { alpha: { timesBeta: 0.1895 }, beta: 0.5668 },
      },
      ...GATE,
    ],
    constants: MIXED,
    bound: 0.147,
    depth: 0.424,
    limits: [
      { on: ['webgl'], says: 'ONNX Runtime Web has no HardSigmoid on WebGL' },
      { on: ['cpu', 'wasm'], type: 'f64', says: 'ONNX Runtime has no HardSigmoid for float64' },
    ],
  },
};

/** The fastest form per provider; test/bench/forms.md has the measurements. */
export const FORM_FOR: Readonly<Record<Target, FormName>> = {
  cpu: 'exp',
  wasm: 'exp',
  webgl: 'exp',
  webgpu: 'softplus',
  cuda: 'softplus',
};

/** Returns the steps of a form for β ≠ 1 (`sharp`) or a mixture. Omits the other steps and renames operands to match. */
export function stepsOf(form: Form<string>, sharp: boolean, mixture = false): Step[] {
  const wanted = { sharp, mixture, either: sharp || mixture };
  const alias = new Map<string, string>();
  const rename = (name: string): string => {
    const other = alias.get(name);
    return other === undefined ? name : rename(other);
  };
  const steps = form.steps.filter(({ only, inputs, output }) => {
    if (only === undefined || wanted[only]) return true;
    const from = rename(inputs[0] ?? '');
    // The fixed name (x or y) of the two stays.
    if (output === 'y') alias.set(from, 'y');
    else alias.set(output, from);
    return false;
  });
  return steps.map((step) => ({ ...step, inputs: step.inputs.map(rename), output: rename(step.output) }));
}

/** Returns the value of a recipe's constant for an element type, a sharpness, and the slope of a mixture. */
export function constantValue(constant: Constant, type: FloatType, beta: number, leak?: number): number {
  if (typeof constant === 'number') return constant;
  if (typeof constant !== 'string')
    return 'timesBeta' in constant ? constant.timesBeta * beta : constant[type];
  return DERIVED[constant]({
    beta,
    leak: leak === undefined || constant === 'slope' ? leak : roundTo(leak, type),
  });
}
