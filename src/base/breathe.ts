import { stopIfAborted } from './abort.js';

/** Maximum milliseconds of a loop before signals and timers are handled. */
const MAX_BLOCKED_MS = 20;
let last = 0;

/**
 * Lets signals and timers run during a long loop, at most once per 20 ms. Throws `aborted` if the signal is aborted.
 */
export async function breathe(signal?: AbortSignal, where?: string): Promise<void> {
  if (performance.now() - last < MAX_BLOCKED_MS) return;
  await new Promise((resolve) => setTimeout(resolve));
  last = performance.now();
  stopIfAborted(signal, where);
}
