import { Console } from 'node:console';
import { Readable, Writable } from 'node:stream';
import type { CliOptions, Outcome } from './cli.js';

let last: Promise<unknown> = Promise.resolve();

/** Runs a command as a process would, but for the process: its folder, variables and streams are its own, one command at a time. */
export function inThisProcess(args: readonly string[], options: CliOptions): Promise<Outcome> {
  const outcome = last.then(() => call(args, options));
  last = outcome.catch(() => {});
  return outcome;
}

async function call(
  args: readonly string[],
  { cwd = process.cwd(), input = '', env = {} }: CliOptions,
): Promise<Outcome> {
  const { run } = await import('../../dist/cli/run.js');
  const [out, err] = [collector(), collector()];
  const before = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode };
  const restore = [
    put(process, 'stdout', out.stream),
    put(process, 'stderr', err.stream),
    put(process, 'stdin', Readable.from([Buffer.from(input)], { objectMode: false })),
    put(globalThis, 'console', new Console(out.stream, err.stream)),
  ];
  try {
    process.chdir(cwd);
    process.env = { PATH: before.env.PATH ?? '', ...env };
    process.exitCode = undefined;
    await run([process.execPath, 'onnx-mish', ...args]);
    const bytes = out.bytes();
    const [stdout, stderr] = [bytes.toString(), err.bytes().toString()];
    return {
      code: Number(process.exitCode ?? 0),
      signal: null,
      stdout,
      stderr,
      bytes: Uint8Array.from(bytes),
    };
  } finally {
    for (const undo of restore) undo();
    process.chdir(before.cwd);
    process.env = before.env;
    process.exitCode = before.exitCode;
  }
}

/** A stream that keeps what is written to it. */
function collector() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, taken) {
      chunks.push(chunk);
      taken();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks) };
}

/** Puts something in the place of a property, and gives back what undoes that. */
function put(object: object, key: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(object, key);
  Object.defineProperty(object, key, { value, configurable: true, writable: true });
  return () => {
    if (before !== undefined) Object.defineProperty(object, key, before);
  };
}
