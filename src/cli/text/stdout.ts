import { fstatSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { fileError } from '../../files/file-error.js';

let output: Writable | undefined;
let failure: Error | undefined;
let last: Promise<void> = Promise.resolve();

/**
 * Standard output, which takes all of what it is given or fails. Node's own does that as well, except where it is a file:
 * of a write that a disk takes in part, as one that fills up does, it drops the rest without a word.
 */
export function standardOutput(): Writable {
  if (output !== undefined) return output;
  output = fstatSync(1).isFile() ? wholeFile() : process.stdout;
  output.on('error', () => {}); // whoever writes is told
  return output;
}

/** From here on standard output is that of another command, of which nothing is printed yet. */
export function renewOutput(): void {
  output = undefined;
  failure = undefined;
  last = Promise.resolve();
}

/** Prints to standard output. Where that fails the command goes on with its work, and `finishOutput` says so at its end. */
export function print(text: string): void {
  if (failure !== undefined) return;
  last = new Promise((resolve) => {
    standardOutput().write(text, (error) => {
      failure ??= error ?? undefined;
      resolve();
    });
  });
}

/** Waits until all is printed. Throws `io` where it could not be, unless because the reader has seen enough (`| head`). */
export async function finishOutput(): Promise<void> {
  await last;
  if (failure !== undefined && !isClosedPipe(failure)) throw fileError(failure, 'standard output');
}

/** Whether an error says that nobody reads standard output any more. */
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
