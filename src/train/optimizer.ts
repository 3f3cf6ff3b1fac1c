import type { Parameter } from './parameters.js';

/** Adam's running averages of the gradient and of its square, per value of the parameter. */
interface Moments {
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

/** Decay of Adam's running averages of the gradient and of its square. */
const DECAY = [0.9, 0.99] as const;
const EPSILON = 2e-12;

/** Returns the moments before the first step. */
export function zeroMoments({ values }: Parameter): Moments {
  return { mean: new Float32Array(values.length), square: new Float32Array(values.length) };
}

/** Updates a parameter by a step of Adam (Kingma and Ba 2014, arXiv:1412.6980). Steps count from 1. */
export function adamStep(
  { values, scale }: Parameter,
  { mean, square }: Moments,
  gradient: Float32Array,
  step: number,
  rate: number,
): void {
  const [first, second] = DECAY;
  const [fix1, fix2] = [1 - first ** step, 1 - second ** step];
  for (let index = 0; index < values.length; index++) {
    const g = gradient[index] as number;
    const m = first * (mean[index] as number) + (1 - first) * g;
    const v = second * (square[index] as number) + (1 - second) * g * g;
    mean[index] = m;
    square[index] = v;
    const move = (rate * scale * (m / fix1)) / (Math.sqrt(v / fix2) + EPSILON);
    values[index] = (values[index] as number) - move;
  }
}
