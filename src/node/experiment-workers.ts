// Worker processes that train the runs of an experiment.
import { type ChildProcess, fork } from 'node:child_process';
import { type ErrorCode, OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import type { RunKey } from '../experiment/prepare.js';
import type { ExperimentRun } from '../experiment/report-schema.js';
import type { RunEpoch } from '../experiment/train-run.js';
import { tooManyOpen } from '../files/file-error.js';
import type { TrainingTimes } from '../train/part-times.js';

/** Progress of a run. */
export interface RunProgress {
  onEpoch(key: RunKey, epoch: RunEpoch): void;
  onPoint(key: RunKey, done: number, of: number): void;
}

/** A place that trains runs, one at a time: this process or another one. */
export interface RunWorker {
  measure(activation: RunKey['activation']): Promise<TrainingTimes>;
  train(key: RunKey, progress: RunProgress): Promise<ExperimentRun>;
  close(): Promise<void>;
}

/** Work for a process. */
export type WorkerRequest =
  | { readonly kind: 'measure'; readonly activation: RunKey['activation'] }
  | { readonly kind: 'train'; readonly key: RunKey };

/** A process's messages. */
export type WorkerReply =
  | { readonly kind: 'measured'; readonly times: TrainingTimes }
  | { readonly kind: 'epoch'; readonly key: RunKey; readonly epoch: RunEpoch }
  | { readonly kind: 'point'; readonly key: RunKey; readonly done: number; readonly of: number }
  | { readonly kind: 'trained'; readonly run: ExperimentRun }
  | { readonly kind: 'failed'; readonly error: SentError };

interface SentError {
  readonly code: ErrorCode;
  readonly what: string;
  readonly where?: string | undefined;
  readonly fix?: string | undefined;
  readonly option?: OptionHint | undefined;
}

/** Converts an error to data for a message. */
export function sentError(error: unknown): SentError {
  if (!(error instanceof OnnxMishError)) return { code: 'run-failed', what: String(error) };
  const { code, what, where, fix, option } = error;
  return { code, what, where, fix, option };
}

export interface ProcessOptions {
  /** Path of the program, and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  /** The first message. */
  readonly start: object;
  readonly signal: AbortSignal;
}

/** Milliseconds after which a process that was told to end is killed. */
const MAX_END_MS = 10_000;
/** Number of lost processes with which a run fails. */
const MAX_LOST = 2;

/**
 * Returns a worker that trains in a process of its own. If the process dies, another one goes on with the run from its last epoch, once.
 * Throws `run-failed` for a process that dies again or does not start, `aborted` also after `close`, and what the run throws.
 */
export function processWorker(options: ProcessOptions): RunWorker {
  let child: ChildProcess | undefined;
  let isClosed = false;
  const stopIfOver = () => {
    // The error of `aborted()` says that nothing is left, but the files of the runs stay.
    if (isClosed || options.signal.aborted) throw new OnnxMishError('aborted', 'interrupted');
  };
  const open = () => {
    stopIfOver();
    const made = startProcess(options, () => {
      if (child === made) child = undefined;
    });
    return made;
  };
  /** Sends a request, and returns the last reply; `lost` if the process died. */
  const ask = (request: WorkerRequest, progress?: RunProgress) =>
    new Promise<WorkerReply | Lost>((resolve, reject) => {
      child ??= open();
      const asked = child;
      const end = (result: WorkerReply | Lost) => {
        asked.off('message', hear).off('exit', lose).off('error', refuse);
        resolve(result);
      };
      const refuse = (error: Error) => reject(cannotStart(error));
      const lose = (code: number | null, signal: NodeJS.Signals | null) =>
        end({ kind: 'lost', by: signal ?? `exit code ${code}` });
      const hear = (reply: WorkerReply) => {
        if (reply.kind === 'epoch') progress?.onEpoch(reply.key, reply.epoch);
        else if (reply.kind === 'point') progress?.onPoint(reply.key, reply.done, reply.of);
        else end(reply);
      };
      asked.on('message', hear).once('exit', lose).once('error', refuse);
      if (!asked.connected) return;
      asked.send(request, (error) => {
        if (error !== null) end({ kind: 'lost', by: error.message });
      });
    });
  /** Asks again in another process if the first one died. */
  const insist = async (request: WorkerRequest, progress?: RunProgress) => {
    for (let lost = 1; ; lost++) {
      const reply = await ask(request, progress);
      stopIfOver();
      if (reply.kind === 'failed') {
        const { code, what, ...details } = reply.error;
        throw new OnnxMishError(code, what, details);
      }
      if (reply.kind !== 'lost') return reply;
      child = undefined;
      if (lost < MAX_LOST) continue;
      throw new OnnxMishError(
        'run-failed',
        `the process of ${describe(request)} ended ${lost} times (${reply.by})`,
        {
          fix: 'Use fewer processes if memory ran out',
        },
      );
    }
  };
  return {
    async measure(activation) {
      const reply = await insist({ kind: 'measure', activation });
      if (reply.kind === 'measured') return reply.times;
      throw unexpected(reply);
    },
    async train(key, progress) {
      const reply = await insist({ kind: 'train', key }, progress);
      if (reply.kind === 'trained') return reply.run;
      throw unexpected(reply);
    },
    async close() {
      isClosed = true;
      if (child !== undefined) await ended(child);
    },
  };
}

/** Starts a process and sends it the first message. Calls `onEnd` when it ends, or did not start. */
function startProcess({ program, args, start }: ProcessOptions, onEnd: () => void): ChildProcess {
  const child = fork(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  // A process that fails to start does not exit, and may have no channel.
  child.once('exit', onEnd).on('error', () => {
    if (child.pid === undefined) onEnd();
  });
  if (child.connected) child.send(start, () => {}); // a process that does not get it ends
  return child;
}

/** A process that died while it worked. */
interface Lost {
  readonly kind: 'lost';
  readonly by: string;
}

function describe(request: WorkerRequest): string {
  if (request.kind === 'measure') return `the measurement of ${request.activation}`;
  return `${request.key.activation} with seed ${request.key.seed}`;
}

/** Returns the error for a process that the system does not start. */
const cannotStart = (cause: Error) =>
  tooManyOpen(cause) ??
  new OnnxMishError('run-failed', `a process cannot be started: ${cause.message}`, {
    fix: 'Use fewer processes',
    cause,
  });

const unexpected = ({ kind }: WorkerReply) =>
  new OnnxMishError('run-failed', `a process sent '${kind}'`, { fix: 'Report this as a defect' });

/** Ends a process, and waits for its end. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const kill = setTimeout(() => child.kill('SIGKILL'), MAX_END_MS);
    child.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
