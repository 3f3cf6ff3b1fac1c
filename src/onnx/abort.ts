import { OnnxMishError } from './error.js';

/** Throws `aborted` once the signal has fired; asked for between steps, since a step itself cannot be stopped. */
export function stopIfAborted(signal: AbortSignal | undefined, where?: string): void {
  if (signal?.aborted) {
    throw new OnnxMishError('aborted', 'interrupted', { where, fix: 'Nothing was left behind' });
  }
}
