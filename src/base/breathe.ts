import { stopIfAborted } from './abort.js';

/** Milliseconds that a loop may go on before signals and timers get their turn. */
const LONGEST_MS = 20;
let last = 0;

/** Lets signals and timers in, from inside a long loop, no oftener than is needed. Throws `aborted` once the signal has fired. */
export async function breathe(signal?: AbortSignal, where?: string): Promise<void> {
  if (performance.now() - last < LONGEST_MS) return;
  await new Promise((resolve) => setTimeout(resolve));
  last = performance.now();
  stopIfAborted(signal, where);
}
