import { messageOf, OnnxMishError, sentences } from '../../../base/error.js';
import type { OptionName } from '../../../base/option-hint.js';
import { withCommand } from '../in-command.js';
import { NOT_LOADED, type Problem, type WorkerAnswer } from '../protocol.js';

/** Advice for the page, by the options that the error's advice is about; the first match counts. */
const IN_PAGE: readonly (readonly [fix: string, ...options: readonly OptionName[]])[] = [
  ['Give the sizes of the model’s free dimensions', 'shapes', 'dims'],
  ['Give as many images as fill whole batches', 'limit'],
  ['Give arrays as an .npz', 'data'],
  ['Choose where the samples have their channels', 'dataLayout'],
  ['Change how the images are prepared', 'size', 'resize', 'layout', 'mean', 'std'],
];

/** Messages of browsers for a module that is not on the server any more, or cannot be reached. */
const LOAD_MESSAGES = /dynamically imported module|importing a module script failed/i;

/** Messages of browsers for code that compiles text, where the server's policy forbids that. */
const NOT_COMPILED = /unsafe-eval|Content Security Policy/i;
const POLICY_PROBLEM: Problem = {
  code: 'run-failed',
  what: 'the policy of this page’s web server forbids the code that draws the charts',
  fix: 'Save the report as JSON and run `onnx-mish report`, or let the server allow `unsafe-eval` for assets/html-*.js',
};

/** Converts a thrown value into a plain object that can be sent between workers. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof OnnxMishError)) {
    const what = messageOf(error);
    if (LOAD_MESSAGES.test(what)) return NOT_LOADED;
    return NOT_COMPILED.test(what) ? POLICY_PROBLEM : { code: 'run-failed', what };
  }
  const { code, what, where, fix, option = {}, outcome } = error;
  const [inPage] = IN_PAGE.find(([, ...names]) => names.some((name) => option[name] !== undefined)) ?? [];
  return {
    code,
    what,
    where,
    fix: sentences(inPage ?? (fix && withCommand(fix, option)), outcome) || undefined,
  };
}

/** Runs `work` and returns its result, or the problem if it throws. */
export async function answer<T>(work: () => Promise<T>): Promise<WorkerAnswer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}
