import { OnnxMishError } from './error.js';

/** What is thrown when the caller has stopped the work. */
export function aborted(where?: string): OnnxMishError {
  return new OnnxMishError('aborted', 'interrupted', { where, fix: 'Nothing was left behind' });
}

export function isAborted(error: unknown): boolean {
  return error instanceof OnnxMishError && error.code === 'aborted';
}

/** Throws `aborted` once the signal has fired; asked for between steps, since a step itself cannot be stopped. */
export function stopIfAborted(signal: AbortSignal | undefined, where?: string): void {
  if (signal?.aborted) throw aborted(where);
}
