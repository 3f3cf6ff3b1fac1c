import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isAborted } from '../../base/abort.js';
import { OnnxMishError, withDetails } from '../../base/error.js';
import { experimentClock } from '../../experiment/clock.js';
import { type Experiment, prepareExperiment } from '../../experiment/prepare.js';
import { experimentReport } from '../../experiment/report.js';
import {
  type ExperimentReport,
  type ExperimentRun,
  parseExperimentReport,
} from '../../experiment/report-schema.js';
import { trainingFacts } from '../../experiment/training-facts.js';
import { statOf } from '../../files/same-file.js';
import { checkTarget } from '../../files/write-atomically.js';
import { openRuns, removeRuns, runsFolder } from '../../node/experiment-files.js';
import { localWorker } from '../../node/experiment-local.js';
import { processWorker } from '../../node/experiment-workers.js';
import { host } from '../../node/host.js';
import { withModel } from '../../node/load-model.js';
import { trainRuns } from '../../node/train-runs.js';
import { renderExperiment } from '../../render/experiment.js';
import { durationText } from '../../render/finetune-figures.js';
import { interruptible } from '../io/exit.js';
import { isPiped, readJson } from '../io/files.js';
import { checkLabelledFlags } from '../io/read-labelled.js';
import { sayDoubt } from '../io/say-doubts.js';
import { checkViews, refuseRead, writeTextTo } from '../io/views.js';
import { type Shard, shardOf } from '../options/shard.js';
import { idleCores } from '../text/idle-cores.js';
import { steps } from '../text/progress.js';
import { jsonText, say, sayJson, sayNote } from '../text/say.js';
import { clean, plural } from '../text/text.js';
import { experimentOptions, type RunFlags } from './experiment-options.js';
import type { Start } from './experiment-worker.js';

/** Options of the command, as parsed by commander. */
export interface Flags extends RunFlags {
  output?: string;
  force?: boolean;
  shard?: Shard;
  resume?: boolean;
  jobs?: number;
  report?: string;
  json?: boolean;
  worker?: boolean;
}

/** Trains all runs, writes the report, and prints it. */
export async function run(input: string, flags: Flags): Promise<void> {
  const { force = false, report: html } = flags;
  const output = outputOf(input, flags);
  if ((await isPiped(input)) || (await isPiped(output))) {
    throw new OnnxMishError('bad-usage', 'experiment reads and writes files', {
      fix: 'Name files for model and report',
    });
  }
  checkLabelledFlags(flags, 'experiment');
  const inputs = [input, flags.data, flags.test];
  await refuseRead(output, inputs);
  await checkViews({ html, force }, inputs, output);
  const signal = interruptible();
  const options = experimentOptions(flags, signal, { note: sayNote, doubt: sayDoubt });
  const report = await withModel(
    input,
    async (model) => {
      const experiment = await prepareExperiment({ ...model, name: basename(input) }, options);
      return trainAndReport(experiment, { input, output, flags, signal });
    },
    options,
  );
  if (flags.json) sayJson(report);
  else say([`${clean(input)} → ${clean(output)}`, '', renderExperiment(report, { clean })].join('\n'));
  if (html === undefined) return;
  const { renderHtmlExperiment } = await import('../../render/html/render.js');
  await writeTextTo(html, await renderHtmlExperiment(report), { force });
}

/** Returns the path of the JSON report; a part has its number in the name. */
function outputOf(input: string, { output, shard }: Flags): string {
  const path = output ?? `${input.replace(/\.onnx$/i, '')}.experiment.json`;
  return shard === undefined ? path : path.replace(/(\.json)?$/i, `.${shard.index}-of-${shard.count}$1`);
}

/** Files and options of an experiment. */
interface Job {
  readonly input: string;
  readonly output: string;
  readonly flags: Flags;
  readonly signal: AbortSignal;
}

async function trainAndReport(experiment: Experiment, job: Job): Promise<ExperimentReport> {
  const { output, flags, signal } = job;
  const { resume, force = false, shard } = flags;
  const keys = shardOf(experiment.keys, shard);
  const finished = resume ? await finishedReport(output, experiment, keys) : undefined;
  if (finished !== undefined) return finished;
  await checkTarget(output, force);
  const training = await trainingFacts(experiment);
  const folder = runsFolder(output);
  const before = await openRuns(folder, { digest: experiment.digest, resume, force });
  const done = keys.filter((key) => hasRun(before, key));
  const pending = keys.filter((key) => !done.includes(key));
  try {
    const kept = before.filter((run) => done.some((key) => hasRun([run], key)));
    const runs = [...kept, ...(await trainPending(experiment, pending, folder, job))];
    const report = experimentReport(experiment, runs, { host: host(), shard, training });
    await writeTextTo(output, `${jsonText(report)}\n`, { force });
    await removeRuns(folder);
    return report;
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    const outcome = `The folder '${folder}' has all finished runs and epochs`;
    if (!isAborted(error) && !signal.aborted) throw withDetails(error, { outcome });
    throw withDetails(error, { outcome, fix: 'Run the command again to go on', option: { resume: null } });
  }
}

/** Returns the report of runs that have all finished already; undefined without one. */
async function finishedReport(
  output: string,
  { digest }: Experiment,
  keys: Experiment['keys'],
): Promise<ExperimentReport | undefined> {
  if ((await statOf(output)) === undefined) return undefined;
  const report = parseExperimentReport(await readJson(output), output);
  return report.digest === digest && keys.every((key) => hasRun(report.runs, key)) ? report : undefined;
}

const hasRun = (runs: readonly ExperimentRun[], { activation, seed }: Experiment['keys'][number]) =>
  runs.some((run) => run.activation === activation && run.seed === seed);

async function trainPending(
  experiment: Experiment,
  keys: Experiment['keys'],
  folder: string,
  { input, flags, signal }: Job,
): Promise<ExperimentRun[]> {
  if (keys.length === 0) return [];
  const jobs = Math.min(flags.jobs ?? availableParallelism(), keys.length);
  const start: Start = { kind: 'start', input, flags, folder, digest: experiment.digest };
  const workers =
    jobs === 1
      ? [localWorker(experiment, folder)]
      : Array.from({ length: jobs }, () =>
          processWorker({
            program: program(),
            args: ['experiment', input, '--worker', '--no-config'],
            start,
            signal,
          }),
        );
  const end = () => void Promise.all(workers.map((worker) => worker.close()));
  signal.addEventListener('abort', end, { once: true });
  const clock = experimentClock(experiment, keys, jobs);
  const bar = steps();
  try {
    return await trainRuns({
      workers,
      keys,
      clock,
      onEstimate(seconds) {
        sayNote(
          `${plural(keys.length, 'run')} on ${plural(jobs, 'process', 'processes')} ${keys.length === 1 ? 'takes' : 'take'} about ${durationText(seconds)}`,
        );
        for (const note of idleCores({ runs: keys.length, cores: availableParallelism(), ...flags }))
          sayNote(note);
      },
      onProgress(work) {
        const left = clock.secondsLeft();
        const rest = left === undefined ? '' : `, about ${durationText(Math.ceil(left))} left`;
        bar.update(`${clean(work)}: ${Math.floor(100 * clock.share())} % of all${rest}`);
      },
    });
  } finally {
    signal.removeEventListener('abort', end);
    bar.end();
  }
}

/** Returns the path of the program that worker processes run. */
function program(): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnx-mish/package.json'));
  return join(root, 'dist', 'bin', 'main.cjs');
}
