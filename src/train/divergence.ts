import { OnnxMishError } from '../base/error.js';

const divergences = new WeakSet<object>();

/** Marks an error as the divergence of a training, unless the data caused it. Returns the error. */
export function asDivergence(error: OnnxMishError): OnnxMishError {
  if (error.code === 'run-failed') divergences.add(error);
  return error;
}

/** Returns whether a training ended because its loss or its weights were no longer finite. */
export function isDivergence(error: unknown): error is OnnxMishError {
  return typeof error === 'object' && error !== null && divergences.has(error);
}

/** Returns the error of a divergence. */
export function diverged(what: string): OnnxMishError {
  return asDivergence(new OnnxMishError('run-failed', what, { fix: 'Lower the learning rate' }));
}
