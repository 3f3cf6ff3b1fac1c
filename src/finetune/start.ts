// The swapped model from which the trainings start.

import { OnnxMishError, withDetails } from '../base/error.js';
import { sha256 } from '../base/sha256.js';
import { calibrateModel } from '../calibrate/calibrate.js';
import { type Candidates, findCandidates } from '../calibrate/select/candidates.js';
import type { Dataset, LazyFeeds } from '../data/dataset.js';
import type { FormName } from '../mish/forms.js';
import type { SwapReport } from '../mish/results.js';
import { swapDocument } from '../mish/swap.js';
import { swapChoices } from '../mish/swap-choices.js';
import type { Spliced } from '../onnx/splice.js';
import { type EditableModel, type LoadedModel, modelFromBytes } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { feedsOf } from './feeds.js';
import type { FinetuneOptions } from './options.js';
import type { LabelledPart } from './split-data.js';

/** A swap and the form that trainings use. */
export interface PlannedSwap {
  readonly report: SwapReport;
  /** Form in which the model is trained; it computes the same function as the form of the output. */
  readonly trainedIn: FormName;
  readonly plain: LoadedModel;
  /** Advice for each glob that matches no activation; where nothing is swapped, all notes of the swap, which say why. */
  readonly advice: Candidates['unmatched'];
}

/** Swaps a model without repair. Throws as `swapDocument` does. */
export async function plainSwap(original: LoadedModel, options: FinetuneOptions): Promise<PlannedSwap> {
  const { report, measuredIn, unmatched } = await findCandidates(original.document, options);
  const advice = report.sites.length === 0 ? allAdvice(report) : unmatched;
  const { target: _, form: __, ...rest } = options;
  const form = report.to === 'mish' ? measuredIn : undefined; // other activations have one form
  const { output } = await swapDocument(original.document, { ...rest, form, undo: false, blocked: false });
  return { report, trainedIn: measuredIn, plain: await editedModel(original, output), advice };
}

const allAdvice = ({ notes, noteOptions = {} }: SwapReport): Candidates['unmatched'] =>
  notes.map((text) => ({ text, option: noteOptions[text] }));

/** Maximum number of samples for the repair; more improve it little. */
const MAX_REPAIR_SAMPLES = 512;

/** Maximum number of gradient steps of the repair; the training goes on from there. */
const MAX_REPAIR_STEPS = 400;

/** Swaps a model and repairs its weights without labels. Throws as `calibrateModel` does. */
export async function repairedSwap(
  original: LoadedModel,
  trainedIn: FormName,
  part: LabelledPart,
  plain: LoadedModel,
  options: FinetuneOptions & OnProvider,
): Promise<{ model: LoadedModel; isRepaired: boolean; notes: readonly string[] }> {
  const { to, seed, provider, session, signal } = options;
  const { length } = repairData(part, original).feeds;
  if (length < MIN_REPAIR_RUNS) return { model: plain, isRepaired: false, notes: [tooFew(part.count)] };
  const { output, report } = await calibrateModel(original, {
    beta: 1,
    ...swapChoices(options),
    target: undefined,
    seed,
    provider,
    session,
    signal,
    form: to === undefined || to === 'mish' ? trainedIn : undefined,
    samples: MAX_REPAIR_SAMPLES,
    maxSteps: MAX_REPAIR_STEPS,
    copies: false, // weights that nodes share stay shared in the training
    data: () => repairData(part, original),
    onProgress: (step, done, of) => options.onProgress?.(`repair: ${step}`, done / of, undefined),
  }).catch((error: unknown) => {
    // A fine-tuning has no choice of layers.
    if (!(error instanceof OnnxMishError) || error.option?.layers === undefined) throw error;
    const fix = 'Leave out these samples, or train from the plain swap';
    throw withDetails(error, { fix, option: { calibrate: false } });
  });
  return {
    model: await editedModel(original, output),
    isRepaired: report.kept === 'calibrated',
    notes: report.notes,
  };
}

/** Minimum number of runs for the repair, which splits them in three. */
const MIN_REPAIR_RUNS = 3;
/** Number of runs into which few samples are divided. */
const FEW_REPAIR_RUNS = 8;

const tooFew = (count: number) =>
  `${count === 1 ? 'a training sample is' : `${count} training samples are`} too few for the repair: the trainings start from the plain swap`;

/** Returns training samples as data for the repair. */
function repairData(part: LabelledPart, model: LoadedModel): Dataset<LazyFeeds> & { samples: number } {
  const maxBatch = Math.max(1, Math.floor(part.count / FEW_REPAIR_RUNS));
  const feeds = feedsOf(part, model, MAX_REPAIR_SAMPLES, { maxBatch });
  return { source: 'npz', samples: feeds.samples, feeds };
}

/** Returns an edited copy of a model as a model. It shares the original's external data. */
export async function editedModel(original: LoadedModel, edited: Spliced): Promise<LoadedModel> {
  return namedModel(original, await original.edited(edited), await edited.bytes());
}

/** Returns the model with these bytes, which are an edited copy of the original. Throws as `scan` does. */
export async function modelFromCopy(original: LoadedModel, bytes: Uint8Array): Promise<LoadedModel> {
  const { document } = await modelFromBytes(bytes, original.name);
  return editedModel(original, {
    source: document.source,
    size: bytes.length,
    pieces: [{ start: 0, end: bytes.length }],
    replacements: [],
    bytes: async () => bytes,
    blob: async () => new Blob([bytes as Uint8Array<ArrayBuffer>]),
  });
}

function namedModel(original: LoadedModel, model: EditableModel, bytes: Uint8Array): LoadedModel {
  return {
    ...model,
    name: original.name,
    file: bytes,
    async fingerprint() {
      const [, ...data] = await original.fingerprint();
      return [await sha256(bytes), ...data];
    },
  };
}
