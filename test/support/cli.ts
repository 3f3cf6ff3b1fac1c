import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isHeavy } from './heavy.js';
import { inThisProcess } from './in-this-process.js';

const root = new URL('../../', import.meta.url);
const { bin } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

/** The command as it is published; `npm run build` makes it. */
export const MAIN: string = fileURLToPath(new URL(bin['onnx-mish'], root));

export interface CliOptions {
  cwd?: string;
  /** Standard input; empty unless given. */
  input?: Uint8Array | string;
  env?: Record<string, string>;
  /** Options for Node itself. */
  node?: string[];
  /** Keeps swap's note on its cost in standard error. */
  withCost?: boolean;
  /** As this user, for what the superuser is never refused. */
  uid?: number;
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came. */
  readonly bytes: Uint8Array;
}

/** Starts the real command. Standard input is left open. */
export function start(args: readonly string[], options: CliOptions = {}): ChildProcess {
  const { cwd, env = {}, node = [], uid } = options;
  return spawn(process.execPath, [...node, MAIN, ...args], {
    cwd,
    // Nothing of the test runner's own, which sets colours and Node options.
    env: { PATH: process.env.PATH ?? '', ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** How a command ended, and what it printed. */
export async function outcome(child: ChildProcess): Promise<Outcome> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('its output goes elsewhere');
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  const [bytes, errors, [code, signal]] = await Promise.all([buffer(stdout), buffer(stderr), ended]);
  return {
    code,
    signal,
    stdout: bytes.toString(),
    stderr: errors.toString(),
    bytes: Uint8Array.from(bytes),
  };
}

/** Commands that this process of tests has started, each in a process of its own. */
const started = new Set<string>();

/**
 * Runs a command to its end: in a process of its own, as users do, the first time that a process of tests calls it, and then in
 * that one, which spares the start of Node; `npm run test:heavy` starts a process each time.
 */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  const command = args[0] ?? '';
  const isOther = isHeavy || options.node !== undefined || options.uid !== undefined || !started.has(command);
  started.add(command);
  return isOther ? cliProcess(args, options) : withoutCost(inThisProcess(args, options), options);
}

/** Leaves out swap's note on its cost, which has a test of its own. */
async function withoutCost(running: Promise<Outcome>, { withCost }: CliOptions): Promise<Outcome> {
  const result = await running;
  return withCost ? result : { ...result, stderr: result.stderr.replace(COST_NOTE, '') };
}

/** The note on the cost of a swap. */
export const COST_NOTE = /^note: a run takes [\d.]+ to [\d.]+ times as long on CPUs .*\n/m;

/** Runs a command in a process of its own, for tests of just that. */
export function cliProcess(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  const child = start(args, options);
  child.stdin?.on('error', () => {}); // it may end before it has read everything
  child.stdin?.end(options.input ?? '');
  return withoutCost(outcome(child), options);
}

/** Runs the command with --json; fails unless standard output is one JSON document. */
export async function cliJson(args: readonly string[], options: CliOptions = {}) {
  const result = await cli([...args, '--json'], options);
  return { ...result, json: JSON.parse(result.stdout) };
}
