// The page's worker: holds the models and runs them in further workers.
import { expose, proxy, type Remote, releaseProxy, wrap } from 'comlink';
import { aborted } from '../../../base/abort.js';
import { OnnxMishError } from '../../../base/error.js';
import type { SwappedModel, Workbench, WorkerAnswer } from '../protocol.js';
import type { HtmlMaker } from './html.js';
import { checkComplete, type Model, readModel, swapModel } from './model.js';
import { answer, problemOf } from './problem.js';
import type { Runner, Sent, SentFiles } from './runner.js';

let model: Model | undefined;
let swapped: SwappedModel | undefined;
/** Functions that stop running jobs, each with an error for the caller. */
const running = new Set<(why: OnnxMishError) => void>();

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
  worker: Worker,
  work: (remote: Remote<W>) => PromiseLike<WorkerAnswer<T>>,
): Promise<WorkerAnswer<T>> {
  const remote = wrap<W>(worker);
  let end: (why: OnnxMishError) => void = () => {};
  try {
    return await new Promise<WorkerAnswer<T>>((resolve) => {
      end = (why) => resolve({ ok: false, problem: problemOf(why) });
      running.add(end);
      worker.onerror = ({ message }) =>
        end(
          new OnnxMishError(
            'run-failed',
            `the worker ended: ${message || 'the worker could not be loaded'}`,
            {
              fix: 'Memory is the usual reason: try a smaller batch or a smaller model',
            },
          ),
        );
      work(remote).then(resolve, (error: unknown) => resolve({ ok: false, problem: problemOf(error) }));
    });
  } finally {
    running.delete(end);
    remote[releaseProxy]();
    worker.terminate();
  }
}

const inRunner = <T>(work: (runner: Remote<Runner>) => PromiseLike<WorkerAnswer<T>>) =>
  inWorker<Runner, T>(new Worker(new URL('./runner.ts', import.meta.url), { type: 'module' }), work);

const inHtmlMaker = (work: (maker: Remote<HtmlMaker>) => PromiseLike<WorkerAnswer<string>>) =>
  inWorker<HtmlMaker, string>(new Worker(new URL('./html.ts', import.meta.url), { type: 'module' }), work);

const sent = ({ name, blob }: Sent): Sent => ({ name, blob });
const files = ({ external }: Model): SentFiles => [...external];

/** Returns the answer of `work`, or the problem if `work` throws. */
async function answers<T>(work: () => Promise<WorkerAnswer<T>>): Promise<WorkerAnswer<T>> {
  const outer = await answer(work);
  return outer.ok ? outer.value : outer;
}

const workbench: Workbench = {
  open: (file, external) =>
    answer(async () => {
      model = await readModel(file, external);
      swapped = undefined;
      const { name, inspection, missing } = model;
      return { name, inspection, missing };
    }),
  swap: (choice) =>
    answer(async () => {
      swapped = await swapModel(opened(), choice);
      return swapped;
    }),
  fits: (which) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      const chosen = which === 'original' ? original : swappedModel();
      return inRunner((runner) => runner.fits(sent(chosen), files(original)));
    }),
  run: (choice, onEvent) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      const models = { original: sent(original), swapped: sent(swappedModel()), files: files(original) };
      return inRunner((runner) => runner.run(models, choice, proxy(onEvent)));
    }),
  async stop() {
    for (const end of running) end(aborted());
  },
  histogram: (site, input, dims, shapes) =>
    answers(async () => {
      const original = opened();
      checkComplete(original);
      return inRunner((runner) =>
        runner.histogram(sent(original), files(original), { site, input, dims, shapes }),
      );
    }),
  html: (report) => inHtmlMaker((maker) => maker.html(report)),
};

expose(workbench);
