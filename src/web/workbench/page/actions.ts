// Actions of the page: asks the worker and stores its answers in the state.
import { proxy } from 'comlink';
import {
  type Answer,
  HANDED_PATH,
  type Handed,
  type NamedFile,
  type Problem,
  type RunEvent,
} from '../protocol.js';
import { bench } from './bench.js';
import { modelAmong } from './files.js';
import { readFeed } from './shapes.js';
import { type Action, choiceOf, type Files, type Place, type Run, type State } from './state.js';

export interface Actions {
  /** Opens a model with its external data, or adds external data to the open model. */
  give(files: readonly NamedFile[]): Promise<void>;
  /** Opens the model that `onnx-mish ui` was started with. */
  takeHanded(): Promise<void>;
  swap(): Promise<boolean>;
  /** Swaps the chosen sites if necessary, and runs both models side by side. */
  run(): Promise<void>;
  stop(): void;
  /** Counts the inputs of the selected site. */
  measure(): Promise<void>;
  /** Renders the report as HTML. */
  html(): Promise<string | undefined>;
}

/** Returns the actions. `state` returns the current state, which may be newer than the actions. */
export function actionsOn(state: () => State, dispatch: (action: Action) => void): Actions {
  /** Number of models opened so far; answers for an earlier model are dropped. */
  let model = 0;
  let stopped = false;
  /** Provider checks and histograms in progress; timing starts after them. */
  let before: Promise<unknown> = Promise.resolve();

  const fail = (place: Place, problem: Problem) => dispatch({ kind: 'problem', place, problem });

  /** Returns the value; after a problem, shows the problem and returns undefined. */
  async function valueFrom<T>(place: Place, asked: PromiseLike<Answer<T>>): Promise<T | undefined> {
    const current = model;
    const answer = await Promise.resolve(asked).catch((error: unknown): Answer<T> => {
      return { ok: false, problem: { code: 'run-failed', what: String(error) } };
    });
    if (current !== model) return undefined;
    if (answer.ok) return answer.value;
    if (answer.problem.code !== 'aborted') fail(place, answer.problem);
    return undefined;
  }

  async function open(files: Files): Promise<void> {
    model += 1;
    await bench.stop();
    dispatch({ kind: 'opening', name: files.model.name });
    const opened = await valueFrom('open', bench.open(files.model, files.external));
    if (opened === undefined) return;
    dispatch({ kind: 'opened', model: opened, files });
    if (opened.missing.length === 0) askFits('original');
  }

  function askFits(which: 'original' | 'swapped'): void {
    const current = model;
    dispatch({ kind: 'fits', which, fits: 'asking' });
    before = before.then(async () => {
      if (current !== model) return;
      const fits = await valueFrom('fits', bench.fits(which));
      if (current === model) dispatch({ kind: 'fits', which, fits: fits ?? null });
    });
  }

  async function swap(): Promise<boolean> {
    const choice = choiceOf(state());
    dispatch({ kind: 'swapping' });
    const swapped = await valueFrom('swap', bench.swap(choice));
    if (swapped === undefined) return false;
    dispatch({ kind: 'swapped', swapped });
    return true;
  }

  function onEvent(event: RunEvent): void {
    if (event.kind === 'step') {
      dispatch({ kind: 'run-more', change: () => ({ step: event.text }) });
    } else if (event.kind === 'pairs') {
      const { provider, times } = event;
      const change = ({ pairs }: Run) => ({
        pairs: { ...pairs, [provider]: [...(pairs[provider] ?? []), ...times] },
      });
      dispatch({ kind: 'run-more', change });
    } else {
      const { row } = event;
      const announcement = `${row.provider}: ${row.status === 'ran' ? 'measured' : (row.reason ?? row.status)}`;
      dispatch({ kind: 'run-more', change: ({ rows }) => ({ rows: [...rows, row] }), announcement });
    }
  }

  async function run(): Promise<void> {
    const { feed, model: opened } = state();
    const fed = opened && readFeed(feed, opened.inspection.inputs);
    if (fed === undefined || fed === null) return;
    const current = model;
    stopped = false;
    const { providers, pairs } = feed;
    const choice = choiceOf(state());
    const empty = { pairs: {}, rows: [], report: null, ended: 'no' } as const;
    dispatch({ kind: 'run', run: { choice, providers, wanted: pairs, step: 'Getting ready', ...empty } });
    const end = (ended: Run['ended'], announcement: string) =>
      dispatch({ kind: 'run-more', change: () => ({ ended }), announcement });
    if (state().swapped === null && !(await swap())) return end('failed', 'The swap failed.');
    await before;
    if (current !== model) return;
    if (stopped) return end('stopped', 'Stopped.');
    const answer = await bench
      .run(
        { ...fed, providers, pairs },
        proxy((event) => current === model && onEvent(event)),
      )
      .catch(
        (error: unknown) => ({ ok: false, problem: { code: 'run-failed', what: String(error) } }) as const,
      );
    if (current !== model) return;
    if (answer.ok) {
      const report = answer.value;
      dispatch({
        kind: 'run-more',
        change: () => ({ report, ended: 'done' }),
        announcement: 'All providers are measured.',
      });
    } else if (answer.problem.code === 'aborted') {
      end('stopped', 'Stopped.');
    } else {
      fail('run', answer.problem);
      end('failed', 'The run failed.');
    }
  }

  return {
    async give(files) {
      const found = modelAmong(files, state().model?.missing ?? []);
      if ('problem' in found) return fail('open', found.problem);
      const { files: now } = state();
      if (found.model !== null) return open({ model: found.model, external: found.external });
      if (now !== null) return open({ ...now, external: [...now.external, ...found.external] });
    },
    async takeHanded() {
      try {
        const { model: handed, external }: Handed = await (await fetched(HANDED_PATH)).json();
        const file = async ({ name, url }: Handed['model']) => ({
          name,
          blob: await (await fetched(url)).blob(),
        });
        dispatch({ kind: 'opening', name: handed.name });
        await open({ model: await file(handed), external: await Promise.all(external.map(file)) });
      } catch (error) {
        const what = `the model could not be fetched: ${error instanceof Error ? error.message : String(error)}`;
        fail('open', {
          code: 'io',
          what,
          fix: 'Start `onnx-mish ui model.onnx` again, or choose the file here',
        });
      }
    },
    async swap() {
      const done = await swap();
      if (done && state().model?.missing.length === 0) askFits('swapped');
      return done;
    },
    run,
    stop() {
      stopped = true;
      void bench.stop();
    },
    async measure() {
      const { site, feed, model: opened } = state();
      const fed = opened && readFeed(feed, opened.inspection.inputs);
      if (fed === undefined || fed === null) return;
      dispatch({ kind: 'input', input: { site, histogram: undefined } });
      const counting = valueFrom('histogram', bench.histogram(site, fed.input, fed.dims, fed.shapes));
      before = Promise.all([before, counting]);
      const histogram = await counting;
      if (state().input?.site !== site) return;
      dispatch({ kind: 'input', input: histogram === undefined ? null : { site, histogram } });
    },
    async html() {
      const report = state().run?.report;
      if (report === null || report === undefined) return undefined;
      dispatch({ kind: 'exporting', on: true });
      const html = await valueFrom('export', bench.html(report));
      if (html !== undefined) dispatch({ kind: 'exporting', on: false });
      return html;
    },
  };
}

async function fetched(address: string): Promise<Response> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response;
}
