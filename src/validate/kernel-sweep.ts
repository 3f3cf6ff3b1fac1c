import { isAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { boundOf } from '../mish/bound.js';
import { FORMS } from '../mish/forms.js';
import { type Kernel, kernelModel } from '../mish/kernel.js';
import { mish, mixture } from '../mish/reference.js';
import { roundTo, toHalf } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';
import type { Provider, Runtime, SessionOptions } from '../providers/provider.js';
import { arrayFor, type Tensor, toNumbers } from '../providers/tensor.js';

/** Errors of a provider's kernel for an activation, against the float64 formula. */
export interface Sweep {
  readonly kind: Kernel['kind'];
  /** Form of Mish and of mixtures; null for other activations. `beta` is their sharpness. */
  readonly form: string | null;
  readonly beta: number | null;
  /** Slope of LeakyReLU below 0, or slope of a mixture; null for other activations. */
  readonly alpha: number | null;
  /** Largest difference of an approximate form from the exact function; null for an exact form. */
  readonly bound: number | null;
  readonly elemType: string;
  readonly opset: number;
  /** Number of finite points. */
  readonly n: number;
  /** The largest absolute error; `maxAbsAt` is its x. */
  readonly maxAbs: number | null;
  readonly maxAbsAt: number | null;
  /** The largest error in units in the last place of the exact value. */
  readonly maxUlp: number | null;
  readonly maxUlpAt: number | null;
  /** The largest error divided by the larger of 1 and the exact value. */
  readonly maxScaled: number | null;
  /** Number of finite points at which the kernel returned NaN, or an infinity where the type holds the exact value. */
  readonly broken: number;
  /** Output for +Infinity, -Infinity and NaN. Every form returns NaN for -Infinity; the mathematical limit is -0. */
  readonly atInfinity: string | null;
  readonly atMinusInfinity: string | null;
  readonly atNaN: string | null;
  /** The largest error in each of 160 equal parts of [-20, 20]. */
  readonly curve: { x: number; abs: number; ulp: number }[];
  /** Runtime that ran the kernel. */
  readonly runtime?: Runtime | undefined;
  /** Reason for missing figures; null if the kernel ran. */
  readonly problem: string | null;
}

/** For each type, its largest finite value, and the numbers that `ulp` needs. */
const RANGE = {
  f16: { max: 65504, bits: 10, lowest: -24 },
  f32: { max: (2 - 2 ** -23) * 2 ** 127, bits: 23, lowest: -149 },
  f64: { max: Number.MAX_VALUE, bits: 52, lowest: -1074 },
} as const;

type Swept = keyof typeof RANGE;

function isSwept(type: string): type is Swept {
  return Object.hasOwn(RANGE, type);
}

/** Returns one unit in the last place of a value: the distance to the next larger value of the type. */
export function ulp(value: number, type: Swept): number {
  const { bits, lowest } = RANGE[type];
  const size = Math.abs(value);
  if (size === 0) return 2 ** lowest;
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--; // just below a power of two, the logarithm rounds up
  return 2 ** Math.max(exponent - bits, lowest);
}

/**
 * Returns the inputs of a sweep: [-20, 20] in steps of 1/64, points near 0, every power of two of the type with both
 * signs, subnormals, ±0, ±88, ±1e4 and the largest value. The element type represents each point exactly.
 *
 * @example
 * import { sweepPoints } from 'onnx-mish/validate';
 *
 * console.log(sweepPoints('f32').length);
 */
export function sweepPoints(type: Swept): number[] {
  const { max, bits, lowest } = RANGE[type];
  const points: number[] = [0, -0];
  for (let step = -1280; step <= 1280; step++) points.push(step / 64);
  for (let step = 1; step <= 256; step++) points.push(step / 4096, -step / 4096);
  for (let exponent = lowest; 2 ** exponent <= max; exponent++) points.push(2 ** exponent, -(2 ** exponent));
  for (const edge of [2 ** (lowest + bits) * (1 - 2 ** -bits), 17, 88, 88.75, 104, 1e4, max])
    points.push(edge, -edge);
  return points.map((x) => roundTo(x, type)).filter(Number.isFinite);
}

/** Size from which every mixture is x above 0 and αx below, whatever its sharpness; its terms may overflow. */
const FAR = 2 ** 1000;

/** Returns the kernel's function in float64. */
function formula(kernel: Kernel, type: FloatType): (x: number) => number {
  if (kernel.kind === 'mish') return (x) => mish(x, kernel.beta);
  if (kernel.kind === 'mixture') {
    const alpha = roundTo(kernel.alpha, type); // the graph stores the slope as a constant of this type
    return (x) => (Math.abs(x) < FAR ? mixture(x, kernel.beta, alpha) : x > 0 ? x : alpha * x);
  }
  if (kernel.kind === 'relu') return (x) => Math.max(0, x);
  const alpha = Math.fround(kernel.alpha); // the attribute stores the slope as a float32
  return (x) => (x < 0 ? alpha * x : x);
}

/** The figures of a kernel that did not run. */
const NO_FIGURES = {
  n: 0,
  maxAbs: null,
  maxAbsAt: null,
  maxUlp: null,
  maxUlpAt: null,
  maxScaled: null,
  broken: 0,
  atInfinity: null,
  atMinusInfinity: null,
  atNaN: null,
};

/**
 * Runs a kernel on a provider over the points of `sweepPoints`. Throws only `aborted`: `problem` holds the reason of a failure.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { sweep } from 'onnx-mish/validate';
 *
 * const { maxScaled, problem } = await sweep(getProvider('cpu'), { kind: 'mish', form: 'exp', beta: 1 }, 'f32', 18);
 */
export async function sweep(
  provider: Provider,
  kernel: Kernel,
  type: FloatType,
  opset: number,
  options?: SessionOptions,
): Promise<Sweep> {
  const alpha = 'alpha' in kernel ? kernel.alpha : undefined;
  const base = {
    kind: kernel.kind,
    form: 'form' in kernel ? kernel.form : null,
    beta: 'beta' in kernel ? kernel.beta : null,
    alpha: alpha ?? null,
    bound:
      ('form' in kernel ? boundOf(FORMS[kernel.form], { beta: kernel.beta, leak: alpha }) : undefined) ??
      null,
    elemType: type,
    opset,
  };
  const failed = (problem: string): Sweep => ({ ...base, curve: [], ...NO_FIGURES, problem });
  if (!isSwept(type)) return failed(`ONNX Runtime takes no ${type} tensors from JavaScript`);
  try {
    const points = sweepPoints(type);
    const all = [...points, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    const dims = [all.length];
    const shapes = { inputs: { x: dims }, outputs: { y: dims } };
    const session = await provider.open(kernelModel(kernel, type, opset), { ...options, shapes });
    try {
      const { y } = await session.run({ x: toTensor(all, type) });
      const got = y && toNumbers(y);
      if (got === undefined) throw new Error('the kernel returned no tensor');
      const special = (offset: number) => String(got[points.length + offset]);
      return {
        ...base,
        ...compare(points, got, type, formula(kernel, type)),
        atInfinity: special(0),
        atMinusInfinity: special(1),
        atNaN: special(2),
        runtime: session.runtime,
        problem: null,
      };
    } finally {
      await session.close();
    }
  } catch (error) {
    if (isAborted(error)) throw error;
    return failed(error instanceof OnnxMishError ? error.what : String(error));
  }
}

function toTensor(values: readonly number[], type: Swept): Tensor {
  const data = arrayFor(type, values.length) as Float32Array;
  values.forEach((value, index) => {
    data[index] = type === 'f16' ? toHalf(value) : value;
  });
  return { elemType: type, dims: [values.length], data };
}

/** The parts of the x axis whose largest errors make the curve. */
const PARTS = { count: 160, from: -20, to: 20 };

function compare(
  points: readonly number[],
  got: ArrayLike<number>,
  type: Swept,
  formula: (x: number) => number,
) {
  const worst = { maxAbs: 0, maxAbsAt: 0, maxUlp: 0, maxUlpAt: 0, maxScaled: 0 };
  const parts = new Map<number, { x: number; abs: number; ulp: number }>();
  let broken = 0;
  points.forEach((x, index) => {
    const value = got[index] ?? Number.NaN;
    const exact = formula(x);
    if (!Number.isFinite(value) || !Number.isFinite(exact)) {
      if (value !== roundTo(exact, type)) broken++; // the exact value may be beyond the type's largest
      return;
    }
    const error = Math.abs(value - exact);
    if (error > worst.maxAbs) Object.assign(worst, { maxAbs: error, maxAbsAt: x });
    worst.maxScaled = Math.max(worst.maxScaled, error / Math.max(1, Math.abs(exact)));
    const ulps = error / ulp(exact, type);
    if (ulps > worst.maxUlp) Object.assign(worst, { maxUlp: ulps, maxUlpAt: x });
    if (x < PARTS.from || x > PARTS.to) return;
    const width = (PARTS.to - PARTS.from) / PARTS.count;
    const part = Math.min(PARTS.count - 1, Math.floor((x - PARTS.from) / width));
    const before = parts.get(part) ?? { x, abs: 0, ulp: 0 };
    parts.set(part, {
      x: error > before.abs ? x : before.x,
      abs: Math.max(before.abs, error),
      ulp: Math.max(before.ulp, ulps),
    });
  });
  const curve = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
  return { n: points.length, ...worst, broken, curve };
}
