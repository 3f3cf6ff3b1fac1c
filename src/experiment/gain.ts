import type { ReplacementName } from '../mish/activation-kinds.js';
import { ACTIVATIONS, DEFAULT_SLOPE } from '../mish/activations.js';

/** Returns an activation in float64 with the default slope. `beta` is the sharpness of Mish. */
export function functionOf(name: ReplacementName, beta = 1): (x: number) => number {
  const { f } = ACTIVATIONS[name];
  const variant = {
    beta: name === 'mish' ? beta : 1,
    leak: name === 'leakyrelu' ? DEFAULT_SLOPE : undefined,
  };
  return (x) => f(x, variant);
}

/** Largest |z| of the quadrature: a normal number beyond has a probability of 1e-23. */
const MAX_Z = 10;
/** Width of a step. Simpson's rule takes two steps at a time, and a kink at a whole number lies between two such pairs. */
const STEP = 1 / 64;

/**
 * Returns the gain of an activation f: 1 / √E[f(z)²] for a normal number z of deviation 1. Weights of deviation gain / √fan-in
 * then keep the variance from layer to layer, as He and others (2015, arXiv:1502.01852) derive it for ReLU, whose gain is √2. The
 * expectation is computed by Simpson's rule. `beta` is the sharpness of Mish.
 */
export function gainOf(name: ReplacementName, beta?: number): number {
  const f = functionOf(name, beta);
  const at = (z: number) => f(z) ** 2 * Math.exp((-z * z) / 2);
  const steps = (2 * MAX_Z) / STEP;
  let sum = 0;
  for (let step = 0; step <= steps; step++) {
    const weight = step === 0 || step === steps ? 1 : step % 2 === 0 ? 2 : 4;
    sum += weight * at(-MAX_Z + step * STEP);
  }
  return 1 / Math.sqrt((sum * STEP) / 3 / Math.sqrt(2 * Math.PI));
}
