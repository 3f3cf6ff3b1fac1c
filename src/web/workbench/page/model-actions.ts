// Actions that open and swap a model.
import { HANDED_PATH, type Handed, type NamedFile, type OtherActivation } from '../protocol.js';
import { type Asker, answerTo } from './asker.js';
import { bench } from './bench.js';
import { type BundledModel, fetchBundled } from './bundled-models.js';
import { modelAmong } from './files.js';
import { choiceOf, type Files } from './state.js';

export interface ModelActions {
  /** Opens a model with its external data, or adds external data to the open model. */
  give(files: readonly NamedFile[]): Promise<void>;
  /** Opens the model that `onnx-mish ui` was started with. */
  takeHanded(): Promise<void>;
  /** Opens a model that the page brings along. */
  takeBundled(name: BundledModel): Promise<void>;
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
  /** Opens a model. A file that is not a model leaves the open model and its works alone. */
  async function open(files: Files): Promise<void> {
    dispatch({ kind: 'opening', name: files.model.name });
    const answer = await answerTo(bench.open(files.model, files.external));
    if (!answer.ok && answer.problem.code === 'aborted') return; // another file was opened meanwhile
    if (!answer.ok) return fail('open', answer.problem);
    asker.countModel();
    await bench.stop(['run', 'repair', 'finetune']);
    const { to, files: before } = state();
    const isSame = before?.model === files.model; // more external data for the model that is open
    const model = isSame && to !== undefined ? await valueFrom('open', bench.sites(to)) : answer.value;
    if (model !== undefined) dispatch({ kind: 'opened', model, files });
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
    async takeBundled(name) {
      try {
        await open({ model: await fetchBundled(name), external: [] });
      } catch {
        fail('open', { code: 'io', what: `${name} could not be loaded`, fix: 'Reload the page' });
      }
    },
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
      if (done && state().model?.missing.length === 0) askFits(asker, 'swapped');
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
  const { dispatch, valueFrom } = asker;
  const { model } = asker;
  const { swapped } = asker.state();
  /** Whether the model that was asked about is still the one on the page. */
  const isCurrent = () =>
    model === asker.model && (which === 'original' || swapped === asker.state().swapped);
  dispatch({ kind: 'fits', which, fits: 'asking' });
  asker.waitFor(async () => {
    if (!isCurrent()) return;
    const fits = await valueFrom('fits', bench.fits(which));
    if (isCurrent()) dispatch({ kind: 'fits', which, fits: fits ?? null });
  });
}

async function fetched(address: string): Promise<Response> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response;
}
