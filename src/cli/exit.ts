import { OnnxMishError } from '../onnx/error.js';
import { clean } from './text.js';

export const EXIT = { done: 0, threshold: 1, usage: 2, unavailable: 3, interrupted: 130 } as const;

/** The exit code an error stands for. */
export function exitCode(error: OnnxMishError): number {
  if (error.code === 'provider-unavailable') return EXIT.unavailable;
  if (error.code === 'aborted') return EXIT.interrupted;
  return error.code === 'skipped' ? EXIT.threshold : EXIT.usage;
}

/** Prints an error to standard error; with --json the one JSON document on standard output is the error as well. */
export function reportError(error: unknown, argv: readonly string[]): void {
  const known = error instanceof OnnxMishError;
  if (known && argv.includes('--json')) {
    const { code, what, where, fix } = error;
    console.log(JSON.stringify({ error: { code, what, where, fix } }, null, 2));
  }
  if (known) {
    const where = error.where === undefined ? '' : `${error.where}: `;
    console.error(`onnx-mish: ${clean(where)}${clean(error.what)}`);
    if (error.fix !== undefined) console.error(`  ${clean(error.fix)}.`);
  } else {
    console.error(`onnx-mish: ${clean(error instanceof Error ? error.message : String(error))}`);
    console.error(
      '  This is a defect of onnx-mish. Run the command again with --debug and report what it prints.',
    );
  }
  if (argv.includes('--debug') && error instanceof Error) console.error(error);
}

/** A signal that Ctrl-C or a polite kill aborts, so that what is under way is cleaned up first. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
