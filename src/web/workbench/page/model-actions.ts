// Actions that open and swap a model.
import type { NamedFile, OtherActivation, WorkerAnswer } from '../protocol.js';
import { type Asker, answerTo } from './asker.js';
import { bench } from './bench.js';
import { modelAmong } from './files.js';
import { type BundledModel, fetchBundled, fetchHanded } from './served-models.js';
import { choiceOf, type Files } from './state.js';

export interface ModelActions {
  /** Opens a model with its external data, or adds external data to the open model. */
  give(files: readonly NamedFile[]): Promise<void>;
  /** Opens the model that `onnx-mish ui` was started with. */
  takeHanded(): Promise<void>;
  /** Opens a model that the page brings along, and returns whether it is the open one now. */
  takeBundled(name: BundledModel): Promise<boolean>;
  /** Asks which providers run the open model, if that is not known. */
  checkFits(): void;
  /** Chooses the activation to write, undefined for Mish, and lists its sites. */
  write(to: OtherActivation | undefined): Promise<void>;
  /** Swaps the chosen sites, and returns whether that succeeded. */
  swap(): Promise<boolean>;
}

/** Returns the actions that open and swap a model. */
export function modelActions(asker: Asker): ModelActions {
  const { state, dispatch, fail, valueFrom } = asker;
  /** Number of models that were asked for so far: the last is opened, however long the others take. */
  let asked = 0;

  /**
   * Opens a model, and returns whether it is the open one now. A file that is not a model leaves the open model and its works
   * alone.
   */
  async function open(name: string, files: Files | Promise<WorkerAnswer<Files>>): Promise<boolean> {
    const request = ++asked;
    dispatch({ kind: 'opening', name });
    const given = 'model' in files ? ({ ok: true, value: files } as const) : await files;
    if (request !== asked) return false;
    const answer = given.ok ? await answerTo(bench.open(given.value.model, given.value.external)) : given;
    if (request !== asked) return false;
    if (!answer.ok) fail('open', answer.problem);
    if (!answer.ok || !given.ok) return false;
    asker.countModel();
    await bench.stop(['question', 'run', 'repair', 'finetune']);
    const { to, files: before } = state();
    const isSame = before?.model === given.value.model; // more external data for the model that is open
    const model = isSame && to !== undefined ? await valueFrom('open', bench.sites(to)) : answer.value;
    if (model === undefined) return false;
    dispatch({ kind: 'opened', model, to: isSame ? to : undefined, files: given.value });
    return true;
  }

  return {
    async give(files) {
      const found = modelAmong(files, state().model?.missing ?? []);
      if ('problem' in found) return fail('open', found.problem);
      const { model, external } = found;
      const { files: now } = state();
      if (model !== null) await open(model.name, { model, external });
      else if (now !== null) await open(now.model.name, { ...now, external: [...now.external, ...external] });
    },
    async takeHanded() {
      await open('the model', fetchHanded());
    },
    takeBundled: (name) => open(name, fetchBundled(name)),
    checkFits() {
      const { model, fits } = state();
      if (model?.missing.length === 0 && fits.original === null) askFits(asker, 'original');
    },
    async write(to) {
      dispatch({ kind: 'listing', to });
      const model = await valueFrom('swap', bench.sites(to));
      // Another choice may have been made since.
      if (model !== undefined && state().listing === (to ?? 'mish')) dispatch({ kind: 'write', to, model });
    },
    async swap() {
      const done = await swapChosen(asker);
      if (done && state().swapped !== null && state().model?.missing.length === 0) askFits(asker, 'swapped');
      return done;
    },
  };
}

/** Swaps the chosen sites, and returns whether that succeeded. */
export async function swapChosen({ state, dispatch, valueFrom }: Asker): Promise<boolean> {
  const choice = choiceOf(state());
  dispatch({ kind: 'swapping' });
  const swapped = await valueFrom('swap', bench.swap(choice));
  if (swapped === undefined) return false;
  dispatch({ kind: 'swapped', choice, swapped });
  return true;
}

/** Asks which providers run a model. */
function askFits(asker: Asker, which: 'original' | 'swapped'): void {
  const { dispatch, fail, model } = asker;
  const { swapped } = asker.state();
  /** Whether the model that was asked about is still the one on the page. */
  const isCurrent = () =>
    model === asker.model && (which === 'original' || swapped === asker.state().swapped);
  dispatch({ kind: 'fits', which, fits: 'asking' });
  asker.waitFor(async () => {
    if (!isCurrent()) return;
    const answer = await answerTo(bench.fits(which));
    if (!isCurrent()) return;
    dispatch({ kind: 'fits', which, fits: answer.ok ? answer.value : null });
    if (!answer.ok && answer.problem.code !== 'aborted') fail('fits', answer.problem);
  });
}
