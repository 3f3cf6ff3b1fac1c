import { fstatSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { OnnxMishError, withDetails } from '../../base/error.js';
import { fileError } from '../../files/file-error.js';

let output: Writable | undefined;
let failure: Error | undefined;
let last: Promise<void> = Promise.resolve();

/**
 * Returns a stream to standard output that writes all bytes or fails. For a file, `process.stdout` would silently drop the
 * rest of a partial write, as on a disk that fills up.
 */
export function standardOutput(): Writable {
  if (output !== undefined) return output;
  output = fstatSync(1).isFile() ? wholeFile() : process.stdout;
  output.on('error', () => {}); // the callback of `write` gets the error
  return output;
}

/** Resets this module for another command in the same process. */
export function renewOutput(): void {
  output = undefined;
  failure = undefined;
  last = Promise.resolve();
}

/** Prints to standard output. A failure does not stop the command; `finishOutput` throws it at the end. */
export function print(text: string): void {
  if (failure !== undefined) return;
  last = new Promise((resolve) => {
    standardOutput().write(text, (error) => {
      failure ??= error ?? undefined;
      resolve();
    });
  });
}

/** Waits until everything is printed. Throws `io` on failure, except if the reader stopped early (`| head`). */
export async function finishOutput(): Promise<void> {
  await last;
  if (failure === undefined || isClosedPipe(failure)) return;
  const error = fileError(failure, 'standard output');
  if (!(error instanceof OnnxMishError)) throw error;
  // Printed text cannot be taken back, and files may have been written already.
  const outcome = 'The rest of the output is missing';
  throw withDetails(error, {
    fix: 'Free some space, or send the output elsewhere',
    option: undefined,
    outcome,
  });
}

/** Returns whether an error means that the reader of standard output is gone (EPIPE). */
export function isClosedPipe(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'EPIPE';
}

function wholeFile(): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, taken) {
      try {
        for (let done = 0; done < chunk.length; ) done += writeSync(1, chunk, done);
        taken();
      } catch (error) {
        taken(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}
