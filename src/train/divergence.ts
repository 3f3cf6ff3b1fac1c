import { OnnxMishError } from '../base/error.js';
import type { LossName } from './losses.js';

const divergences = new WeakSet<object>();

/** Marks an error as the divergence of a training, unless the data caused it. Returns the error. */
export function asDivergence(error: OnnxMishError): OnnxMishError {
  if (error.code === 'run-failed') divergences.add(error);
  return error;
}

/** Returns whether a training ended because its loss or its weights were no longer finite, or its loss was beyond its bound. */
export function isDivergence(error: unknown): error is OnnxMishError {
  return typeof error === 'object' && error !== null && divergences.has(error);
}

/** Returns the error of a divergence. */
export function diverged(what: string): OnnxMishError {
  return asDivergence(new OnnxMishError('run-failed', what, { fix: 'Lower the learning rate' }));
}

/** Returns the error of a loss that is not finite or beyond its bound, at a place such as a step. */
export function divergedLoss(place: string, loss: number): OnnxMishError {
  const why = Number.isFinite(loss) ? ', which means that all probabilities are 0 or 1' : '';
  return diverged(`the loss of ${place} is ${Number(loss.toPrecision(4))}${why}`);
}

/**
 * Largest mean loss of scores. A larger one needs scores beyond 2^24, where float32 cannot tell a whole number from the next: every
 * probability is 0 or 1.
 */
const MAX_LOSS_OF_SCORES = 2 ** 24;

/** Returns the largest mean loss of a training that has not diverged. Squared errors are as large as the targets make them. */
export function maxLossOf(loss: LossName): number {
  return loss === 'mse' ? Number.MAX_VALUE : MAX_LOSS_OF_SCORES;
}
