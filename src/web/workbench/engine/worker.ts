// The page's worker: holds the models and runs them in further workers.
import { expose, proxy, type Remote, releaseProxy, wrap } from 'comlink';
import { aborted } from '../../../base/abort.js';
import { OnnxMishError } from '../../../base/error.js';
import {
  NOT_LOADED,
  type OpenedModel,
  type OtherActivation,
  type PageJob,
  type Problem,
  type SwappedModel,
  type Workbench,
  type WorkerAnswer,
} from '../protocol.js';
import type { RepairBench, RepairChoice } from '../repair-protocol.js';
import type { FinetuneChoice, TrainingBench } from '../room-protocol.js';
import type { Comparer, ComparerEvent } from './comparer.js';
import type { Finetuner, FinetunerEvent } from './finetuner.js';
import type { HtmlMaker } from './html.js';
import { checkComplete, includedNames, inspectionFor, type Model, readModel, swapModel } from './model.js';
import { answer, problemOf } from './problem.js';
import type { Repairer, RepairJob } from './repairer.js';
import type { Runner } from './runner.js';
import type { Sent, SentFiles } from './sent.js';
import { siteGraph } from './site-graph.js';

let model: Model | undefined;
let swapped: SwappedModel | undefined;
/** Number of each kind of request so far: what takes long must not replace what was asked for later. */
const asked = { open: 0, swap: 0 };

/** Counts a request, and returns a check that throws `aborted` after a later one of its kind. */
function latest(kind: keyof typeof asked): () => void {
  const number = ++asked[kind];
  return () => {
    if (number !== asked[kind]) throw aborted();
  };
}
/** Functions that stop running jobs, each with a problem for the caller. */
const running = new Map<(problem: Problem) => void, PageJob>();
/** The last fine-tuning, with its state after the last whole epoch. */
let finetuning: { model: Model; key: string; checkpoint: Uint8Array | undefined } | undefined;
/** The last comparison, with the state of each activation’s training after its last whole epoch. */
let comparing: { key: string; checkpoints: Map<string, Uint8Array> } | undefined;

function opened(): Model {
  if (model !== undefined) return model;
  throw new OnnxMishError('bad-usage', 'no model is open', { fix: 'Open a model first' });
}

function swappedModel(): SwappedModel {
  if (swapped !== undefined) return swapped;
  throw new OnnxMishError('bad-usage', 'the model was not swapped', { fix: 'Swap the model first' });
}

/** Starts a worker for one job and terminates it afterwards, or on `stop`: a running model cannot be interrupted. */
async function inWorker<W, T>(
  job: PageJob,
  worker: Worker,
  work: (remote: Remote<W>) => PromiseLike<WorkerAnswer<T>>,
): Promise<WorkerAnswer<T>> {
  const remote = wrap<W>(worker);
  let end: (problem: Problem) => void = () => {};
  try {
    return await new Promise<WorkerAnswer<T>>((resolve) => {
      end = (problem) => resolve({ ok: false, problem });
      running.set(end, job);
      worker.onerror = ({ message }) => end(endOfWorker(message));
      work(remote).then(resolve, (error: unknown) => resolve({ ok: false, problem: problemOf(error) }));
    });
  } finally {
    running.delete(end);
    remote[releaseProxy]();
    worker.terminate();
  }
}

/** Returns the problem of a worker that ended; without a message, its code did not arrive. */
function endOfWorker(message: string | undefined): Problem {
  if (!message) return NOT_LOADED;
  const fix = 'Memory is the usual reason: try a smaller batch or a smaller model';
  return { code: 'run-failed', what: `the worker ended: ${message}`, fix };
}

const inRunner = <T>(
  job: 'question' | 'run' | 'arrays',
  work: (runner: Remote<Runner>) => PromiseLike<WorkerAnswer<T>>,
) => inWorker<Runner, T>(job, new Worker(new URL('./runner.ts', import.meta.url), { type: 'module' }), work);

const inHtmlMaker = (work: (maker: Remote<HtmlMaker>) => PromiseLike<WorkerAnswer<string>>) =>
  inWorker<HtmlMaker, string>(
    'html',
    new Worker(new URL('./html.ts', import.meta.url), { type: 'module' }),
    work,
  );

const inFinetuner = <T>(work: (finetuner: Remote<Finetuner>) => PromiseLike<WorkerAnswer<T>>) =>
  inWorker<Finetuner, T>(
    'finetune',
    new Worker(new URL('./finetuner.ts', import.meta.url), { type: 'module' }),
    work,
  );

const inRepairer = <T>(work: (repairer: Remote<Repairer>) => PromiseLike<WorkerAnswer<T>>) =>
  inWorker<Repairer, T>(
    'repair',
    new Worker(new URL('./repairer.ts', import.meta.url), { type: 'module' }),
    work,
  );

/** Returns the job of a repair or a ranking of the open model. Throws without a model, and without all its weights. */
async function repairJob(choice: RepairChoice): Promise<RepairJob> {
  const original = opened();
  checkComplete(original);
  return {
    model: sent(original),
    files: files(original),
    choice,
    include: await included(original, choice),
  };
}

const inComparer = <T>(work: (comparer: Remote<Comparer>) => PromiseLike<WorkerAnswer<T>>) =>
  inWorker<Comparer, T>(
    'compare',
    new Worker(new URL('./comparer.ts', import.meta.url), { type: 'module' }),
    work,
  );

/** Returns names that choose the chosen sites; undefined if all sites are chosen. */
async function included(
  original: Model,
  { swap }: Pick<FinetuneChoice, 'swap'>,
): Promise<string[] | undefined> {
  return includedNames(original.document, (await inspectionFor(original, swap.to)).sites, swap);
}

/** Describes a model for a swap to an activation, undefined for Mish. */
async function describeModel(read: Model, to?: OtherActivation): Promise<OpenedModel> {
  const { name, missing } = read;
  return { name, inspection: await inspectionFor(read, to), missing };
}

const sent = ({ name, blob }: Sent): Sent => ({ name, blob });
const files = ({ external }: Model): SentFiles => [...external];

/** Returns the answer of `work`, or the problem if `work` throws. */
async function answers<T>(work: () => Promise<WorkerAnswer<T>>): Promise<WorkerAnswer<T>> {
  const outer = await answer(work);
  return outer.ok ? outer.value : outer;
}

const workbench: Workbench & TrainingBench & RepairBench = {
  open: (file, external) =>
    answer(async () => {
      const check = latest('open');
      const read = await readModel(file, external);
      check();
      model = read;
      swapped = undefined;
      return describeModel(read);
    }),
  sites: (to) => answer(async () => describeModel(opened(), to)),
  graph: ({ site, to }) => answer(async () => siteGraph(opened().document, site, to)),
  swap: (choice) =>
    answer(async () => {
      const check = latest('swap');
      const original = opened();
      const result = await swapModel(original, choice);
      check();
      if (model !== original) throw aborted();
      swapped = result;
      return result;
    }),
  fits: (which) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      const chosen = which === 'original' ? original : swappedModel();
      return inRunner('question', (runner) => runner.fits(sent(chosen), files(original)));
    }),
  run: (choice, onEvent) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      const models = { original: sent(original), swapped: sent(swappedModel()), files: files(original) };
      return inRunner('run', (runner) => runner.run(models, choice, proxy(onEvent)));
    }),
  // A job of its own, since a model that is opened meanwhile stops all other jobs of a runner.
  arrays: (file) => inRunner('arrays', (runner) => runner.arrays(file)),
  async stop(jobs) {
    for (const [end, job] of running) if (jobs === undefined || jobs.includes(job)) end(problemOf(aborted()));
  },
  histogram: (place, input, dims, shapes) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      return inRunner('question', (runner) =>
        runner.histogram(sent(original), files(original), { ...place, input, dims, shapes }),
      );
    }),
  html: (report) => inHtmlMaker((maker) => maker.html(report)),
  finetuneHtml: (report) => inHtmlMaker((maker) => maker.finetuneHtml(report)),
  calibrationHtml: (report, name) => inHtmlMaker((maker) => maker.calibrationHtml(report, name)),
  rankingHtml: (ranking) => inHtmlMaker((maker) => maker.rankingHtml(ranking)),
  calibrate: (choice, onEvent) =>
    answers(async () => {
      const job = await repairJob(choice);
      return inRepairer((repairer) => repairer.calibrate(job, proxy(onEvent)));
    }),
  rank: (choice, before, onEvent) =>
    answers(async () => {
      const job = await repairJob(choice);
      return inRepairer((repairer) => repairer.rank(job, before, proxy(onEvent)));
    }),
  compare: (choice, resume, onEvent) => {
    const key = JSON.stringify(choice);
    const before = resume && comparing?.key === key ? comparing.checkpoints : undefined;
    const current = { key, checkpoints: new Map(before) };
    comparing = current;
    const keep = proxy((event: ComparerEvent) => {
      if (event.kind === 'checkpoint') current.checkpoints.set(event.activation, event.bytes);
      else onEvent(event);
    });
    return inComparer((comparer) => comparer.compare(choice, new Map(before), keep));
  },
  finetune: (choice, resume, onEvent) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      const key = JSON.stringify(choice);
      const before =
        resume && finetuning?.model === original && finetuning.key === key ? finetuning : undefined;
      const current = { model: original, key, checkpoint: before?.checkpoint };
      finetuning = current;
      const job = {
        model: sent(original),
        files: files(original),
        choice,
        include: await included(original, choice),
        resume: current.checkpoint,
      };
      let isOver = false; // events that are on their way at a stop count no more
      const tell = proxy(({ event, checkpoint }: FinetunerEvent) => {
        if (isOver) return;
        current.checkpoint = checkpoint ?? current.checkpoint;
        onEvent(event);
      });
      const result = await inFinetuner((finetuner) => finetuner.finetune(job, tell));
      isOver = true;
      return result;
    }),
};

expose(workbench);
