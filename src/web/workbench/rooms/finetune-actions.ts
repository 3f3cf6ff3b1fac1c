// Actions of the room Fine-tune: asks the worker and stores its answers in the state.
import { proxy } from 'comlink';
import type { Actions } from '../page/actions.js';
import { answerTo } from '../page/asker.js';
import { bench } from '../page/bench.js';
import { ignoredLabel } from '../page/labels.js';
import { readChanges, triple } from '../page/shapes.js';
import { sortFiles } from '../page/sort-files.js';
import { choiceOf } from '../page/state.js';
import type { NamedFile } from '../protocol.js';
import type { FinetuneChoice, FinetuneEvent, LabelledInput } from '../room-protocol.js';
import type { FinetuneAction, FinetuneState, GivenSamples } from './finetune-state.js';

export interface FinetuneActions {
  /** Takes a model, labelled samples, or both. */
  give(files: readonly NamedFile[]): Promise<void>;
  /** Trains both arms; `resume` goes on after a stop. */
  train(resume?: boolean): Promise<void>;
  stop(): void;
  /** Opens the bundled model and trains it on the bundled images. */
  tryBundled(): Promise<void>;
  /** Renders the report as HTML. */
  html(): Promise<string | undefined>;
}

/** Settings for the bundled model. The repair is left out: it gains as much as the training, and takes as long. */
const BUNDLED_SETTINGS = { epochs: 8, batch: 32, rate: '0.0003', repair: false };

/** Returns the actions. `state` returns the state at the time of its call. */
export function finetuneActions(
  state: () => FinetuneState,
  dispatch: (action: FinetuneAction) => void,
  page: Pick<Actions, 'current' | 'give' | 'takeBundled'>,
): FinetuneActions {
  /** Number of trainings so far; events and answers of earlier ones are dropped. */
  let trainings = 0;

  async function giveArrays(file: NamedFile, test: NamedFile | undefined): Promise<void> {
    dispatch({
      kind: 'samples',
      samples: { kind: 'npz', file, arrays: undefined, labels: '', test: test ?? null },
    });
    const answer = await answerTo(bench.arrays(file));
    if (answer.ok) return dispatch({ kind: 'arrays', file, arrays: answer.value });
    const { samples } = state();
    if (samples?.kind !== 'npz' || samples.file !== file) return; // other samples were given meanwhile
    dispatch({ kind: 'problem', place: 'samples', problem: answer.problem });
  }

  async function train(resume = false): Promise<void> {
    const choice = finetuneChoice(state(), page.current());
    if (choice === undefined) return;
    const current = ++trainings;
    dispatch({ kind: 'train', model: page.current().files?.model, choice, resume });
    const show = proxy((event: FinetuneEvent) => current === trainings && dispatch({ kind: 'event', event }));
    const answer = await answerTo(bench.finetune(choice, resume, show));
    if (current !== trainings) return;
    if (answer.ok) return dispatch({ kind: 'result', result: answer.value });
    const stopped = answer.problem.code === 'aborted';
    if (!stopped) dispatch({ kind: 'problem', place: 'train', problem: answer.problem });
    dispatch({ kind: 'end', ended: stopped ? 'stopped' : 'failed' });
  }

  return {
    async give(files) {
      const sorted = sortFiles(files, page.current().model?.missing);
      if ('problem' in sorted)
        return dispatch({ kind: 'problem', place: 'samples', problem: sorted.problem });
      const { model, train: arrays, test, images } = sorted;
      // At once, so that the samples that come last count, however long a model takes.
      const reading = arrays === undefined ? undefined : giveArrays(arrays, test);
      if (images.length > 0) dispatch({ kind: 'samples', samples: { kind: 'images', files: images } });
      if (model.length > 0) await page.give(model);
      await reading;
    },
    train,
    stop() {
      void bench.stop(['finetune']);
    },
    async tryBundled() {
      if (!(await page.takeBundled('lenet5.onnx'))) return;
      dispatch({ kind: 'settings', change: BUNDLED_SETTINGS });
      dispatch({ kind: 'samples', samples: { kind: 'bundled' } });
      await train();
    },
    async html() {
      const report = state().training?.result?.report;
      if (report === undefined) return undefined;
      dispatch({ kind: 'solved', place: 'export' });
      const answer = await answerTo(bench.finetuneHtml(report));
      if (answer.ok) return answer.value;
      dispatch({ kind: 'problem', place: 'export', problem: answer.problem });
    },
  };
}

/** Returns the choice for the worker; undefined while something is missing or invalid. */
export function finetuneChoice(
  { samples, settings }: Pick<FinetuneState, 'samples' | 'settings'>,
  page: ReturnType<Actions['current']>,
): FinetuneChoice | undefined {
  const { epochs, batch, rate, flip, repair, provider } = settings;
  const ignored = samples?.kind === 'npz' ? ignoredLabel(samples, settings.ignoreLabel) : {};
  const input = samples === null ? undefined : inputOf(samples, settings);
  if (page.model === null || page.model.missing.length > 0 || input === undefined) return undefined;
  if (rateProblem(rate) !== undefined) return undefined;
  if (ignored === undefined) return undefined;
  const numbers = { epochs, batch, rate: Number(rate), ...ignored };
  return { input, swap: choiceOf(page), ...numbers, flip, repair, provider };
}

function inputOf(samples: GivenSamples, settings: FinetuneState['settings']): LabelledInput | undefined {
  const { mean, std } = settings;
  if (samples.kind === 'bundled') return samples;
  if (samples.kind === 'images') {
    const [means, stds] = [triple(mean), triple(std)];
    return means && stds && { ...samples, mean: means, std: stds };
  }
  const { kind, file, labels, test } = samples;
  const changes = readChanges(settings);
  return labels === '' || changes === undefined ? undefined : { kind, file, labels, test, ...changes };
}

/** Returns what is wrong with a typed learning rate; undefined for a valid one. */
export function rateProblem(text: string): string | undefined {
  const rate = Number(text);
  return text.trim() !== '' && Number.isFinite(rate) && rate > 0
    ? undefined
    : 'Give a number above 0, such as 0.001';
}
