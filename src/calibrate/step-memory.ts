import { OnnxMishError } from '../base/error.js';

/** Number of copies of every tensor during a step: its value, its gradient, and what the runtime keeps between them. */
const STEP_COPIES = 3;
const FLOAT_BYTES = 4;
/** Maximum memory of a gradient step; more would exceed 2 GiB with the rest. */
const MAX_STEP_BYTES = 1.5 * 2 ** 30;
/** Maximum number of elements of all tensors in a step. */
export const MAX_STEP_ELEMENTS = MAX_STEP_BYTES / (STEP_COPIES * FLOAT_BYTES);

/** Throws `run-failed` if a gradient step over tensors with this number of elements needs too much memory. */
export function checkStepMemory(elements: number): void {
  const bytes = STEP_COPIES * FLOAT_BYTES * elements;
  if (bytes <= MAX_STEP_BYTES) return;
  throw new OnnxMishError('run-failed', `a step needs about ${(bytes / 2 ** 30).toFixed(1)} GiB of memory`, {
    fix: 'Give runs of fewer or smaller samples',
  });
}
