/** Gives the learning rate of a step: a half cosine from `top` down to nothing. Steps count from 1. */
export function cosineRate(top: number, step: number, steps: number): number {
  return top * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
}
