import { OnnxMishError } from './error.js';

/** Returns the error for work that the caller has aborted. */
export function aborted(where?: string): OnnxMishError {
  return new OnnxMishError('aborted', 'interrupted', { where, outcome: 'Nothing was left behind' });
}

export function isAborted(error: unknown): boolean {
  return error instanceof OnnxMishError && error.code === 'aborted';
}

/** Throws `aborted` if the signal is aborted. To be called between steps, because a step cannot be interrupted. */
export function stopIfAborted(signal: AbortSignal | undefined, where?: string): void {
  if (signal?.aborted) throw aborted(where);
}
