import { existsSync } from 'node:fs';
import { CommanderError } from 'commander';
import { stopIfAborted } from '../../base/abort.js';
import { messageOf, OnnxMishError, sentences } from '../../base/error.js';
import { tooManyOpen } from '../../files/file-error.js';
import { annotate } from '../text/annotate.js';
import { withFlags } from '../text/flags.js';
import { sayErrorJson } from '../text/say.js';
import { isClosedPipe } from '../text/stdout.js';
import { clean } from '../text/text.js';

export const EXIT = { done: 0, threshold: 1, usage: 2, unavailable: 3, interrupted: 130 } as const;

/** Returns the exit code for an error. */
export function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (isClosedPipe(error)) return EXIT.done; // a reader that stops early (`| head`) is not a failure
  if (!(error instanceof OnnxMishError)) return EXIT.usage;
  if (error.code === 'provider-unavailable' || error.code === 'missing-package') return EXIT.unavailable;
  if (error.code === 'aborted') return EXIT.interrupted;
  return error.code === 'skipped' || error.code === 'over-budget' ? EXIT.threshold : EXIT.usage;
}

/** Prints an error to standard error; with --json and no result yet, also as the JSON document on standard output. */
export function reportError(thrown: unknown, argv: readonly string[]): void {
  const error = understood(thrown);
  if (error instanceof CommanderError && error.exitCode === 0) return; // help or the version, printed already
  if (isClosedPipe(error)) return;
  if (argv.includes('--json')) sayErrorJson(errorDocument(error));
  const debug = argv.includes('--debug');
  if (error instanceof CommanderError) {
    annotate('error', error.message.replace(/^error: /, '')); // commander has printed the error already
    if (debug) console.error(error);
  } else sayError(error, { debug });
}

/** Prints an error to standard error: place (or the name of the input), problem and advice. */
export function sayError(
  thrown: unknown,
  options: { name?: string; debug?: boolean | undefined } = {},
): void {
  const error = understood(thrown);
  const known = error instanceof OnnxMishError;
  const name = (known ? error.where : undefined) ?? options.name;
  const where = name === undefined ? '' : `${name}: `;
  console.error(`onnx-mish: ${clean(where)}${clean(known ? error.what : messageOf(error))}`);
  if (!known) {
    console.error(
      '  This is a defect of onnx-mish. Run the command again with --debug and report what it prints.',
    );
  } else if (adviceOf(error) !== '') console.error(`  ${clean(adviceOf(error))}.`);
  if (options.debug && error instanceof Error) console.error(error);
  if (known && error.code === 'aborted') return;
  const what = known ? sentences(error.what, adviceOf(error)) : messageOf(error);
  const file = [options.name, name].find((path) => path !== undefined && existsSync(path));
  annotate('error', file === name ? what : `${where}${what}`, file);
}

/** Returns the advice of an error, with flags, and the state of the files afterwards. */
function adviceOf({ fix, option, outcome }: OnnxMishError): string {
  return sentences(fix === undefined ? undefined : withFlags(fix, option), outcome);
}

/** Converts an error of a library about too many open files; returns other errors unchanged. */
function understood(error: unknown): unknown {
  return error instanceof OnnxMishError ? error : (tooManyOpen(error) ?? error);
}

/** Converts an error to its JSON document. */
export function errorDocument(thrown: unknown) {
  const error = understood(thrown);
  if (error instanceof OnnxMishError) {
    const { code, what, where, option } = error;
    return { code, what, where, fix: adviceOf(error) || undefined, option };
  }
  if (error instanceof CommanderError) {
    return {
      code: 'bad-usage',
      what: error.message.replace(/^error: /, ''),
      fix: 'Add --help for the options',
    };
  }
  return { code: 'defect', what: messageOf(error), fix: 'Report what --debug prints' };
}

let interruption: AbortSignal | undefined;

/** Returns a signal that aborts on SIGINT, SIGTERM or SIGHUP, so that the command can clean up. */
export function interruptible(): AbortSignal {
  if (interruption !== undefined) return interruption;
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  interruption = controller.signal;
  return interruption;
}

/** Throws `aborted` after a signal that `interruptible` waits for. */
export const stopIfInterrupted = (): void => stopIfAborted(interruption);
