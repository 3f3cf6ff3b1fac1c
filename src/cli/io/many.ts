import { isAborted } from '../../base/abort.js';
import { sentences } from '../../base/error.js';
import { type JunitCase, renderJunitModels } from '../../render/junit.js';
import { plainTable } from '../../render/terminal.js';
import { JOBS } from '../options/many-options.js';
import { type Shard, shardOf } from '../options/shard.js';
import { steps } from '../text/progress.js';
import { say, sayJson, sayNote } from '../text/say.js';
import { clean, integer, plural } from '../text/text.js';
import { EXIT, errorDocument, exitCode, interruptible, sayError } from './exit.js';
import { checkViews, writeTextTo } from './views.js';

/** Work on each of many models. */
export interface Work<Job extends { readonly input: string }, Result> {
  readonly run: (job: Job, signal: AbortSignal) => Promise<Result>;
  /** Returns the fields of a model's JSON document besides `input` (its path) and `status`. */
  readonly document: (result: Result) => object;
  /** Columns of the table after the model's path. */
  readonly head: readonly string[];
  readonly rows: (result: Result, job: Job) => readonly (readonly string[])[];
  /** Number of text columns, including the path. */
  readonly textColumns: number;
  /** Word for the models that did not fail, such as `swapped`. */
  readonly done: string;
  /** Returns whether a model had nothing to do; such models are counted apart, as `nothing`. */
  readonly unchanged?: ((result: Result) => boolean) | undefined;
  readonly nothing?: string | undefined;
  /** Returns the outcome of a result in JUnit XML, with its message. Default: passed, with the row of the table. */
  readonly judged?: ((result: Result) => Pick<JunitCase, 'outcome' | 'message'>) | undefined;
  /** Returns the exit code of a result, such as for a limit that is not kept. Default: 0. */
  readonly code?: ((result: Result) => number) | undefined;
}

type Outcome<Result> = { readonly seconds?: number } & (
  | { readonly status: 'done'; readonly result: Result; readonly code: number; readonly unchanged: boolean }
  | { readonly status: 'failed'; readonly error: unknown; readonly code: number }
  | { readonly status: 'not-run'; readonly code: 0 }
);

/** Options of a command on many models. */
interface RunFlags {
  readonly jobs?: number | undefined;
  readonly failFast?: boolean | undefined;
  readonly shard?: Shard | undefined;
  readonly json?: boolean | undefined;
  readonly debug?: boolean | undefined;
  /** File for JUnit XML, and whether to overwrite it. */
  readonly junit?: string | undefined;
  readonly force?: boolean | undefined;
  /** Name of the command, for JUnit XML. */
  readonly command: string;
}

/**
 * Runs work on many models, several at a time, or on a shard of them. A failure is printed at once, and stops the other
 * models only with `failFast`. Prints a JSON line per model in their order, or a table at the end. Sets the exit code to
 * the largest of all models.
 */
export async function runMany<Job extends { readonly input: string }, Result>(
  all: readonly Job[],
  work: Work<Job, Result>,
  flags: RunFlags,
): Promise<void> {
  const { junit, force } = flags;
  await checkViews(
    { junit, force },
    all.map(({ input }) => input),
  ); // fail before the long run, not after
  const begun = performance.now();
  const created = new Date().toISOString();
  const jobs = shardOf(all, flags.shard);
  const interrupted = interruptible();
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupted, failed.signal]);
  const bar = steps();
  const waiting = new Map<number, Outcome<Result>>();
  const said: Counted[] = [];
  const lines: string[][] = [];
  const cases: JunitCase[] = [];
  /** Prints and forgets the outcomes that are next in order, so that the output does not depend on timing. */
  const printNext = () => {
    bar.end();
    for (let outcome = waiting.get(said.length); outcome !== undefined; outcome = waiting.get(said.length)) {
      const job = jobs[said.length];
      if (job === undefined) return;
      waiting.delete(said.length);
      said.push({
        status: outcome.status,
        code: outcome.code,
        unchanged: outcome.status === 'done' && outcome.unchanged,
      });
      if (flags.json) sayJson(record(job, outcome, work));
      else lines.push(...linesOf(job, outcome, work));
      if (junit !== undefined) cases.push(caseOf(job, outcome, work));
      if (outcome.status === 'failed') sayError(outcome.error, { name: job.input, debug: flags.debug });
    }
  };

  const queue = jobs.entries();
  const worker = async () => {
    for (const [index, job] of queue) {
      if (signal.aborted) waiting.set(index, NOT_RUN);
      else {
        bar.update(
          `${integer(said.length + waiting.size + 1)} of ${integer(jobs.length)}: ${clean(job.input)}`,
        );
        const outcome = await attempt(() => work.run(job, signal), work);
        if (outcome.code !== EXIT.done && flags.failFast) failed.abort();
        waiting.set(index, outcome);
      }
      printNext();
    }
  };
  await Promise.all(Array.from({ length: Math.min(flags.jobs ?? JOBS, jobs.length) }, worker));

  const seconds = (performance.now() - begun) / 1000;
  const { shard } = flags;
  const part = shard === undefined ? '' : ` of ${integer(all.length)} (shard ${shard.index}/${shard.count})`;
  const counts = `${plural(jobs.length, 'model')}${part}: ${countsOf(said, work)} in ${seconds.toFixed(1)} s`;
  if (!flags.json) {
    const table = lines.length > 0 ? [plainTable(['model', ...work.head], lines, work.textColumns), ''] : [];
    say([...table, counts].join('\n'));
  } else if (said.some(({ status, code }) => status !== 'done' || code !== EXIT.done)) {
    console.error(`onnx-mish: ${counts}`);
  }
  if (junit !== undefined) {
    const xml = renderJunitModels(flags.command, cases, { created, seconds });
    await writeTextTo(junit, xml, { force });
  }
  if (interrupted.aborted) {
    console.error('onnx-mish: interrupted; finished outputs stay, and no partial output was left behind');
    process.exitCode = EXIT.interrupted;
    return;
  }
  process.exitCode = Math.max(EXIT.done, ...said.map(({ code }) => code));
}

const NOT_RUN = { status: 'not-run', code: EXIT.done } as const;

async function attempt<Result>(
  work: () => Promise<Result>,
  { code = () => EXIT.done, unchanged = () => false }: Pick<Work<never, Result>, 'code' | 'unchanged'>,
): Promise<Outcome<Result>> {
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  try {
    const result = await work();
    return { status: 'done', result, code: code(result), unchanged: unchanged(result), seconds: seconds() };
  } catch (error) {
    if (isAborted(error)) return NOT_RUN;
    return { status: 'failed', error, code: exitCode(error), seconds: seconds() };
  }
}

function record<Job extends { readonly input: string }, Result>(
  job: Job,
  outcome: Outcome<Result>,
  { document }: Work<Job, Result>,
): object {
  const head = { input: job.input, status: outcome.status };
  if (outcome.status === 'done') return { ...head, ...document(outcome.result) };
  return outcome.status === 'failed' ? { ...head, error: errorDocument(outcome.error) } : head;
}

/** Returns a model's case in JUnit XML. */
function caseOf<Job extends { readonly input: string }, Result>(
  job: Job,
  outcome: Outcome<Result>,
  { head, rows, judged }: Work<Job, Result>,
): JunitCase {
  const { seconds } = outcome;
  const name = job.input;
  if (outcome.status === 'not-run') return { name, outcome: 'skipped', message: 'not run', seconds };
  if (outcome.status === 'failed') {
    const { what, fix } = errorDocument(outcome.error);
    return { name, outcome: 'error', message: sentences(what, fix), seconds };
  }
  if (judged !== undefined) return { name, ...judged(outcome.result), seconds };
  const [cells = []] = rows(outcome.result, job);
  const message = cells.map((cell, index) => `${head[index]}: ${cell}`).join(', ');
  return { name, outcome: 'passed', message, seconds };
}

/** Returns a model's lines of the table. */
function linesOf<Job extends { readonly input: string }, Result>(
  job: Job,
  outcome: Outcome<Result>,
  { head, rows }: Work<Job, Result>,
): string[][] {
  const words = outcome.status === 'failed' ? 'failed' : 'not run';
  const own = outcome.status === 'done' ? rows(outcome.result, job) : [[words]];
  return own.map((cells) => [job.input, ...cells, ...Array(head.length - cells.length).fill('')].map(clean));
}

/** The parts of an outcome that `countsOf` counts. */
interface Counted extends Pick<Outcome<unknown>, 'status' | 'code'> {
  readonly unchanged: boolean;
}

/** Describes how many models have which outcome, such as `1 swapped, 1 failed`. */
function countsOf(
  outcomes: readonly Counted[],
  { done, nothing = 'unchanged' }: Pick<Work<never, never>, 'done' | 'nothing'>,
): string {
  const count = (wanted: string) => outcomes.filter(({ status }) => status === wanted).length;
  const [failed, rest] = [count('failed'), count('not-run')];
  const missed = outcomes.filter(({ status, code }) => status === 'done' && code !== EXIT.done).length;
  const same = outcomes.filter(({ unchanged }) => unchanged).length;
  const parts = [
    `${integer(count('done') - same)} ${done}`,
    ...(same > 0 ? [`${integer(same)} ${nothing}`] : []),
    ...(missed > 0 ? [`${integer(missed)} of them failed a check`] : []),
    ...(failed > 0 ? [`${integer(failed)} failed`] : []),
    ...(rest > 0 ? [`${integer(rest)} not run`] : []),
  ];
  return parts.join(', ');
}

/** Prints a note with the number of files of earlier runs that were skipped. */
export function sayLeftOut(leftOut: readonly string[]): void {
  if (leftOut.length === 0) return;
  sayNote(`${plural(leftOut.length, 'file')} of an earlier run skipped`);
}
