import { OnnxMishError } from '../onnx/error.js';

/** Throws `aborted` once the signal has fired; asked for between runs, since a run itself cannot be stopped. */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new OnnxMishError('aborted', 'interrupted', { cause: signal.reason });
}
