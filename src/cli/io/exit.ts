import { CommanderError } from 'commander';
import { messageOf, OnnxMishError, sentences } from '../../base/error.js';
import { tooManyOpen } from '../../files/file-error.js';
import { withFlags } from '../text/flags.js';
import { sayJson } from '../text/say.js';
import { isClosedPipe } from '../text/stdout.js';
import { clean } from '../text/text.js';

export const EXIT = { done: 0, threshold: 1, usage: 2, unavailable: 3, interrupted: 130 } as const;

/** The exit code an error stands for. */
export function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (isClosedPipe(error)) return EXIT.done; // a reader that has seen enough (`| head`) is no failure
  if (!(error instanceof OnnxMishError)) return EXIT.usage;
  if (error.code === 'provider-unavailable') return EXIT.unavailable;
  if (error.code === 'aborted') return EXIT.interrupted;
  return error.code === 'skipped' || error.code === 'over-budget' ? EXIT.threshold : EXIT.usage;
}

/** Prints an error to standard error; with --json the one JSON document is the error as well. */
export function reportError(thrown: unknown, argv: readonly string[]): void {
  const error = understood(thrown);
  if (error instanceof CommanderError && error.exitCode === 0) return; // help or the version, printed already
  if (isClosedPipe(error)) return;
  if (argv.includes('--json')) sayJson({ error: errorDocument(error) });
  const debug = argv.includes('--debug');
  if (!(error instanceof CommanderError))
    sayError(error, { debug }); // commander has said its own
  else if (debug) console.error(error);
}

/** Prints what is wrong to standard error: where, or the name of what was worked on, what, and what to do about it. */
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
}

/** What to do about an error, with flags, and what became of files. */
function adviceOf({ fix, option, outcome }: OnnxMishError): string {
  return sentences(fix === undefined ? undefined : withFlags(fix, option), outcome);
}

/** Too few file descriptors can fail whatever opens one, also what knows nothing of this program’s errors. */
function understood(error: unknown): unknown {
  return error instanceof OnnxMishError ? error : (tooManyOpen(error) ?? error);
}

/** An error as --json has it. */
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

/** A signal that Ctrl-C or a polite kill aborts, so that what is under way is cleaned up first. */
export function interruptible(): AbortSignal {
  if (interruption !== undefined) return interruption;
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  interruption = controller.signal;
  return interruption;
}

let interruption: AbortSignal | undefined;
