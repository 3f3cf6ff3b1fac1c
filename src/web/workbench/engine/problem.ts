import { messageOf, OnnxMishError } from '../../../base/error.js';
import type { Answer, Problem } from '../protocol.js';

/** What to do in a page, where the remedy is an option of the command line. */
const IN_PAGE: readonly (readonly [option: RegExp, fix: string])[] = [
  [/--(shape|dim)\b/, 'Give the sizes of the model’s free dimensions'],
  [/--limit\b/, 'Give as many images as fill whole batches'],
  [/--data\b/, 'Give arrays as an .npz'],
  [/--(size|resize|layout|mean|std)\b/, 'Change how the images are prepared'],
];

/** What was thrown, as something that travels between workers. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof OnnxMishError)) return { code: 'run-failed', what: messageOf(error) };
  const { code, what, where, fix = '' } = error;
  const other = IN_PAGE.find(([option]) => option.test(fix))?.[1];
  return { code, what, where, fix: (other ?? fix) || undefined };
}

/** The result of some work, or what went wrong. */
export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}
