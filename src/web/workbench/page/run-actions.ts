// Actions that run both models, or count what goes into a site.
import { proxy } from 'comlink';
import type { NamedFile, RunEvent } from '../protocol.js';
import { type Asker, answerTo } from './asker.js';
import { bench } from './bench.js';
import { likelyLabels } from './labels.js';
import { swapChosen } from './model-actions.js';
import { readFeed } from './shapes.js';
import { type Action, choiceOf, type Feed, type PageRun, providersOf, type State } from './state.js';

export interface RunActions {
  /** Swaps the chosen sites if necessary, and runs both models side by side. */
  run(): Promise<void>;
  stop(): void;
  /** Takes an .npz as inputs, and looks for labels among its arrays; null takes none. */
  giveArrays(file: NamedFile | null): Promise<void>;
  /** Measures the histogram of the selected site’s inputs. */
  measure(): Promise<void>;
}

/** Returns the actions that run both models, and the one that measures the histogram of a site’s inputs. */
export function runActions(asker: Asker): RunActions {
  const { state, dispatch, fail } = asker;
  /** Stops the current run while it waits, before its worker starts. */
  let stopWaiting = () => {};
  /** Number of runs so far; events and answers of earlier ones are dropped. */
  let runs = 0;

  const end = (ended: PageRun['ended'], announcement: string) =>
    dispatch({ kind: 'run-more', change: () => ({ ended }), announcement });

  return {
    async run() {
      const fed = feedOf(state());
      if (fed === undefined) return;
      const run = ++runs;
      const { model } = asker;
      const isCurrent = () => run === runs && model === asker.model;
      const stopped = new Promise<'stopped'>((settle) => {
        stopWaiting = () => settle('stopped');
      });
      const { feed } = state();
      const { pairs } = feed;
      const providers = providersOf(state());
      const choice = choiceOf(state());
      const empty = { pairs: {}, rows: [], report: null, ended: 'no' } as const;
      dispatch({
        kind: 'run',
        run: { choice, feed, providers, wanted: pairs, step: 'Getting ready', ...empty },
      });
      const ready = await Promise.race([swapAndWait(asker), stopped]);
      if (!isCurrent()) return; // the run on the page is another one
      if (ready === 'stopped') return end('stopped', 'Stopped.');
      if (ready === 'not swapped') return end('failed', 'The swap failed.');
      const showEvent = proxy((event: RunEvent) => isCurrent() && dispatch(actionOf(event, feed)));
      const answer = await answerTo(bench.run({ ...fed, providers, pairs }, showEvent));
      if (!isCurrent()) return;
      if (answer.ok) {
        const report = answer.value;
        const announcement = 'All providers are measured.';
        dispatch({ kind: 'run-more', change: () => ({ report, ended: 'done' }), announcement });
      } else if (answer.problem.code === 'aborted') {
        end('stopped', 'Stopped.');
      } else {
        fail('run', answer.problem);
        end('failed', 'The run failed.');
      }
    },
    stop() {
      stopWaiting();
      void bench.stop(['run']);
    },
    async giveArrays(npz) {
      dispatch({ kind: 'feed', change: { npz, arrays: undefined, labels: '', scale: '1', dataLayout: '' } });
      if (npz === null) return;
      const answer = await answerTo(bench.arrays(npz));
      if (state().feed.npz !== npz) return;
      if (!answer.ok) return fail('feed', answer.problem);
      const names = state().model?.inspection.inputs.map(({ name }) => name);
      const arrays = answer.value;
      dispatch({ kind: 'feed', change: { arrays, labels: likelyLabels(arrays, names) } });
    },
    async measure() {
      const { site, to } = state();
      const fed = feedOf(state());
      if (fed === undefined) return;
      const input = { site, histogram: undefined };
      dispatch({ kind: 'input', input });
      const counting = answerTo(bench.histogram({ site, to }, fed.input, fed.dims, fed.shapes));
      asker.waitFor(counting);
      const answer = await counting;
      if (state().input !== input) return; // another site, other samples, or another model
      if (answer.ok) return dispatch({ kind: 'input', input: { site, histogram: answer.value } });
      dispatch({ kind: 'input', input: null });
      if (answer.problem.code !== 'aborted') fail('histogram', answer.problem);
    },
  };
}

/** Swaps the chosen sites if necessary. Waits for provider checks and histograms, which would disturb the timing. */
async function swapAndWait(asker: Asker): Promise<'ready' | 'not swapped'> {
  const isSwapped = asker.state().swapped !== null || (await swapChosen(asker));
  if (!isSwapped) return 'not swapped';
  await asker.before;
  return 'ready';
}

/** Returns the inputs to run with; undefined without a model, and while a field is empty or wrong. */
function feedOf({ feed, model }: State): ReturnType<typeof readFeed> {
  return model === null ? undefined : readFeed(feed, model.inspection.inputs);
}

/** Returns how an event of a run on these inputs changes the page. */
function actionOf(event: RunEvent, feed: Feed): Action {
  if (event.kind === 'doubt') return { ...event, feed };
  if (event.kind === 'step') return { kind: 'run-more', change: () => ({ step: event.text }) };
  if (event.kind === 'pairs') {
    const { provider, times } = event;
    const change = ({ pairs }: PageRun) => ({
      pairs: { ...pairs, [provider]: [...(pairs[provider] ?? []), ...times] },
    });
    return { kind: 'run-more', change };
  }
  const { row } = event;
  const announcement = `${row.provider}: ${row.status === 'ran' ? 'measured' : (row.reason ?? row.status)}`;
  return { kind: 'run-more', change: ({ rows }) => ({ rows: [...rows, row] }), announcement };
}
