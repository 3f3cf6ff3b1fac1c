import type { FloatType } from '../onnx/types.js';

export type FormName = 'softplus' | 'exp' | 'native';

/** The execution providers a form can be chosen for. */
export const TARGETS = ['cpu', 'wasm', 'webgl', 'webgpu', 'cuda'] as const;
export type Target = (typeof TARGETS)[number];

/** A constant of a recipe: one number, one per element type, or what stands for the sharpness β or 1/β. */
export type Constant = number | Readonly<Record<FloatType, number>> | 'beta' | '1/beta';

/**
 * One node of a recipe. Operands are names: `x` is the site's input, `y` its output, a key of `constants`
 * a scalar, anything else the output of an earlier step. A constant comes last, as opsets before 7 can
 * only broadcast their second operand.
 */
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Only there for β ≠ 1; without it the step's output is its first input. */
  readonly scaling?: true;
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

const SHARPEN: Step = { op: 'Mul', inputs: ['x', 'beta'], output: 'sharp', scaling: true };

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
      { op: 'Mul', inputs: ['x', 'tanh'], output: 'y' },
    ],
    constants: { beta: 'beta' },
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
      { op: 'Div', inputs: ['w', 'w_plus_2'], output: 'ratio' },
      { op: 'Mul', inputs: ['x', 'ratio'], output: 'y' },
    ],
    constants: { beta: 'beta', floor: FLOOR, cap: CAP, two: 2 },
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
      { op: 'Mul', inputs: ['mish', '1/beta'], output: 'y', scaling: true },
    ],
    constants: { beta: 'beta', '1/beta': '1/beta' },
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

/** The steps for this sharpness: for β = 1 without the scaling ones, and with operands renamed to match. */
export function stepsOf(form: Form, scaled: boolean): Step[] {
  if (scaled) return [...form.steps];
  const alias = new Map<string, string>();
  for (const { scaling, inputs, output } of form.steps) {
    // Whichever of the two names is fixed (x or y) is the one that stays.
    if (scaling) output === 'y' ? alias.set(inputs[0] ?? '', 'y') : alias.set(output, inputs[0] ?? '');
  }
  const rename = (name: string) => alias.get(name) ?? name;
  return form.steps
    .filter((step) => !step.scaling)
    .map((step) => ({ ...step, inputs: step.inputs.map(rename), output: rename(step.output) }));
}

/** The value of a recipe's constant for an element type and a sharpness. */
export function constantValue(constant: Constant, type: FloatType, beta: number): number {
  if (constant === 'beta') return beta;
  if (constant === '1/beta') return 1 / beta;
  return typeof constant === 'number' ? constant : constant[type];
}
