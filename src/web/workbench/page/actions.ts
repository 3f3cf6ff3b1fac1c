// What the page has done for it by the worker, and what becomes of the answers.
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
  /** A model with what is beside it, or external data for the model that is open. */
  give(files: readonly NamedFile[]): Promise<void>;
  /** The model that `onnx-mish ui` hands over. */
  takeHanded(): Promise<void>;
  swap(): Promise<boolean>;
  /** Swaps what is chosen, unless that is done, and runs it beside the original. */
  run(): Promise<void>;
  stop(): void;
  /** Counts what goes into the site that is shown. */
  measure(): Promise<void>;
  /** The report's page. */
  html(): Promise<string | undefined>;
}

/** `state` gives what is known now, not when these were made. */
export function actionsOn(state: () => State, dispatch: (action: Action) => void): Actions {
  /** Counts models: what comes back for one that is not open any more is dropped. */
  let model = 0;
  let stopped = false;
  /** The checks of providers and histograms under way: times are taken when they have ended. */
  let before: Promise<unknown> = Promise.resolve();

  const fail = (place: Place, problem: Problem) => dispatch({ kind: 'problem', place, problem });

  /** The value, or undefined after its problem was shown. */
  async function valueFrom<T>(place: Place, asked: PromiseLike<Answer<T>>): Promise<T | undefined> {
    const own = model;
    const answer = await Promise.resolve(asked).catch((error: unknown): Answer<T> => {
      return { ok: false, problem: { code: 'run-failed', what: String(error) } };
    });
    if (own !== model) return undefined;
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
    const own = model;
    dispatch({ kind: 'fits', which, fits: 'asking' });
    before = before.then(async () => {
      if (own !== model) return;
      const fits = await valueFrom('fits', bench.fits(which));
      if (own === model) dispatch({ kind: 'fits', which, fits: fits ?? null });
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
      const said = `${row.provider}: ${row.status === 'ran' ? 'measured' : (row.reason ?? row.status)}`;
      dispatch({ kind: 'run-more', change: ({ rows }) => ({ rows: [...rows, row] }), said });
    }
  }

  async function run(): Promise<void> {
    const { feed, model: opened } = state();
    const fed = opened && readFeed(feed, opened.inspection.inputs);
    if (fed === undefined || fed === null) return;
    const own = model;
    stopped = false;
    const { providers, pairs } = feed;
    const choice = choiceOf(state());
    const empty = { pairs: {}, rows: [], report: null, ended: 'no' } as const;
    dispatch({ kind: 'run', run: { choice, providers, wanted: pairs, step: 'Getting ready', ...empty } });
    const end = (ended: Run['ended'], said: string) =>
      dispatch({ kind: 'run-more', change: () => ({ ended }), said });
    if (state().swapped === null && !(await swap())) return end('failed', 'It could not be swapped.');
    await before;
    if (own !== model) return;
    if (stopped) return end('stopped', 'Stopped.');
    const answer = await bench
      .run(
        { ...fed, providers, pairs },
        proxy((event) => own === model && onEvent(event)),
      )
      .catch(
        (error: unknown) => ({ ok: false, problem: { code: 'run-failed', what: String(error) } }) as const,
      );
    if (own !== model) return;
    if (answer.ok) {
      const report = answer.value;
      dispatch({ kind: 'run-more', change: () => ({ report, ended: 'done' }), said: 'All is measured.' });
    } else if (answer.problem.code === 'aborted') {
      end('stopped', 'Stopped.');
    } else {
      fail('run', answer.problem);
      end('failed', 'It failed.');
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
          fix: 'Start `onnx-mish ui model.onnx` again, or pick the file here',
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
