import { fstatSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { OnnxMishError, withDetails } from '../../base/error.js';
import { fileError } from '../../files/file-error.js';

const [STDOUT, STDERR] = [1, 2];

/** Whether text goes to the descriptors of the process while no stream is open: Node takes some ms to load its streams. */
let isDirect = false;
let output: Writable | undefined;
let errors: typeof process.stderr | undefined;
let failure: Error | undefined;
let last: Promise<void> = Promise.resolve();

/**
 * Returns a stream to standard output that writes all bytes or fails. For a file, `process.stdout` would silently drop the
 * rest of a partial write, as on a disk that fills up.
 */
export function standardOutput(): Writable {
  if (output !== undefined) return output;
  output = fstatSync(STDOUT).isFile() ? wholeFile() : process.stdout;
  output.on('error', () => {}); // the callback of `write` gets the error
  return output;
}

/** Returns the stream to standard error. Printing progress to a closed terminal fails, which must not prevent the cleanup. */
export function standardError(): typeof process.stderr {
  if (errors !== undefined) return errors;
  errors = process.stderr;
  errors.on('error', () => {});
  return errors;
}

/** Resets this module for another command in the same process. On Windows only streams write all characters to a terminal. */
export function renewOutput(direct: boolean): void {
  isDirect = direct && process.platform !== 'win32';
  output = undefined;
  errors = undefined;
  failure = undefined;
  last = Promise.resolve();
}

/** Prints to standard output. A failure does not stop the command; `finishOutput` throws it at the end. */
export function print(text: string): void {
  if (failure !== undefined) return;
  let rest: Uint8Array = Buffer.from(text);
  try {
    if (isDirect && output === undefined) rest = writeNow(STDOUT, rest);
  } catch (error) {
    failure = asError(error);
    return;
  }
  if (rest.length === 0) return;
  last = new Promise((resolve) => {
    standardOutput().write(rest, (error) => {
      failure ??= error ?? undefined;
      resolve();
    });
  });
}

/** Prints to standard error. A failure does not stop the command: nobody could read of it. */
export function printError(text: string): void {
  let rest: Uint8Array = Buffer.from(text);
  try {
    if (isDirect && errors === undefined) rest = writeNow(STDERR, rest);
  } catch {
    return;
  }
  if (rest.length > 0) standardError().write(rest);
}

/** Writes bytes, and returns the rest that a pipe has no room for at once. */
function writeNow(descriptor: number, bytes: Uint8Array): Uint8Array {
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(descriptor, bytes, done);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return bytes.subarray(done);
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

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
        for (let done = 0; done < chunk.length; ) done += writeSync(STDOUT, chunk, done);
        taken();
      } catch (error) {
        taken(asError(error));
      }
    },
  });
}
