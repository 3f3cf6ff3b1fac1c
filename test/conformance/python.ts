import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Feed } from '../support/run.js';

/** A question to python.py. */
export type Job =
  | { readonly kind: 'summary' | 'checker'; readonly path: string }
  | {
      readonly kind: 'reference' | 'original';
      readonly path: string;
      readonly feeds: Readonly<Record<string, Feed>>;
    };

/** Its answer, or what kept it from one. */
export interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

/** A Python with onnx, asked one question after the other. */
export interface Python {
  readonly version: string;
  /** Where its package netron lies, if it has it. */
  readonly netron: string | undefined;
  ask(job: Job): Promise<Answer>;
  close(): void;
}

/** Milliseconds; onnx.reference is written for clarity, and takes minutes for what ONNX Runtime does in a blink. */
const PATIENCE = 30_000;

const SCRIPT = fileURLToPath(new URL('python.py', import.meta.url));

/** Starts Python (`program`), or says why it cannot be used. */
export function startPython(program: string): Python | string {
  const print = (code: string) => {
    const { status, stdout } = spawnSync(program, ['-c', code], { encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const version = print('import onnx; print(onnx.__version__)');
  if (version === undefined) return `${program} has no package onnx (pip install onnx)`;
  const start = () => {
    const child = spawn(program, [SCRIPT], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.on('error', () => {}); // that it has ended shows in its answers
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  };
  let running = start();
  let last: Promise<Answer> = Promise.resolve({}); // one question at a time
  return {
    version,
    netron: print('import netron; print(netron.__path__[0])'),
    ask: (job) => (last = last.then(() => ask(job))),
    close: () => void running.child.stdin.end(),
  };

  async function ask(job: Job): Promise<Answer> {
    const { child, lines } = running;
    child.stdin.write(`${JSON.stringify(job)}\n`);
    const timer = setTimeout(() => child.kill(), PATIENCE);
    const { value, done } = await lines.next();
    clearTimeout(timer);
    if (!done) return JSON.parse(value);
    running = start();
    return { error: `no answer in ${PATIENCE / 1000} s` };
  }
}
