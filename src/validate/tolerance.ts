import { FLOAT_TYPES } from '../onnx/types.js';
import { WEB, WEB_PROVIDERS } from '../providers/web-providers.js';
import type { ModelInfo } from './report-schema.js';

/** Differences up to which a provider counts as right. */
export interface Tolerance {
  /** Maximum error of a kernel, divided by the larger of 1 and the exact value. */
  readonly kernel: number;
  /**
   * Maximum difference of an output from the CPU's, divided by the output's largest value in either model; or share of labels, indices
   * and truth values that differ.
   */
  readonly parity: number;
}

const F32_KERNEL = { cpu: 1e-5, gpu: 1e-4 };

/**
 * The kernel's tolerance by element type: rounding, with room for a fast exponential. f32 on a CPU was measured at
 * 2e-6. The standards allow GPUs an exponential with an error of 3 + 2|x| units in the last place (GLSL ES 3.00, 4.5.1;
 * WGSL, 14.6.2) and a tanh with an error of 1e-5 (WGSL). f16 rounds to 2^-11, and a form rounds several times.
 */
const KERNEL: Readonly<Record<string, { cpu: number; gpu: number }>> = {
  f64: { cpu: 1e-12, gpu: 1e-12 },
  f32: F32_KERNEL,
  f16: { cpu: 4e-3, gpu: 8e-3 },
};

/**
 * Parity tolerances of this process's providers, for f32 models; web-providers.ts has those of a page, and their
 * source. CUDA and TensorRT multiply in TF32 by default, with 10 bits of mantissa. CoreML may compute in f16.
 */
const PARITY: Readonly<Record<string, number>> = {
  cpu: 1e-4,
  'webgpu-native': 1e-3,
  cuda: 1e-2,
  tensorrt: 1e-2,
  dml: 1e-3,
  coreml: 5e-2,
};

/** Parity tolerance of f16 models: f16 has 11 bits of mantissa, and errors add up through a network. */
const HALF_PARITY = 5e-2;

/**
 * Returns the tolerance for a provider and the element type of the model's floats.
 *
 * @example
 * import { toleranceFor } from 'onnx-mish/validate';
 *
 * toleranceFor('webgl', 'f32'); // { kernel: 1e-4, parity: 1e-3 }
 */
export function toleranceFor(provider: string, elemType: string): Tolerance {
  const kernel = KERNEL[elemType] ?? F32_KERNEL;
  const web = WEB_PROVIDERS.find((name) => name === provider);
  const facts = web && WEB[web];
  const isOnCpu = provider === 'cpu' || facts?.processor === 'cpu';
  const parity = facts?.parity ?? PARITY[provider] ?? 1e-3;
  return {
    kernel: isOnCpu ? kernel.cpu : kernel.gpu,
    parity: elemType === 'f16' || elemType === 'bf16' ? Math.max(parity, HALF_PARITY) : parity,
  };
}

/** Returns the element type that limits the models' precision: half precision if any activation has it. */
export function floatsOf(...models: readonly ModelInfo[]): string {
  const types = models
    .flatMap(({ mish, kinds }) => [...mish, ...kinds].map(({ elemType }) => elemType))
    .filter((type) => Object.hasOwn(FLOAT_TYPES, type)); // Mish may compute on integers
  return types.find((type) => type === 'f16' || type === 'bf16') ?? types[0] ?? 'f32';
}
