import type { FormName } from '../mish/forms.js';
import { spliceWithRecord } from '../mish/metadata.js';
import { planOf } from '../mish/plan.js';
import type { SiteReport, SkipReport, SwapReport } from '../mish/report.js';
import { retarget } from '../mish/retarget.js';
import { type SwapOptions, swapDocument } from '../mish/swap.js';
import { withChanged } from '../node/beside.js';
import { withDocument } from '../node/document.js';
import { withDataFiles } from '../node/external-data.js';
import type { OnnxDocument } from '../onnx/document.js';
import { OnnxMishError } from '../onnx/error.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { scan } from '../onnx/scan.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import { getProvider } from '../providers/get.js';
import type { Provider, SessionOptions, ValueInfo } from '../providers/types.js';
import type { Accuracy } from '../validate/accuracy.js';
import { compare } from '../validate/compare.js';
import type { Dataset, Feeds } from '../validate/feeds.js';
import type { Drift } from '../validate/metrics.js';
import type { Base } from './gather.js';
import { type LeftAlone, type LinearLayer, linearLayers } from './linear.js';
import { type LayerRepair, repairLayers } from './repair.js';
import type { Method } from './solve.js';
import { datasetOf, splitFeeds } from './split.js';
import { type Tuned, type TuneOptions, tune } from './tune.js';

export interface CalibrateOptions extends Omit<SwapOptions, 'undo'> {
  /** Makes feeds for a model that has these inputs and outputs. Labels only serve the report. */
  readonly data: (
    inputs: readonly ValueInfo[],
    outputs: readonly ValueInfo[],
  ) => Dataset<Feeds> | Promise<Dataset<Feeds>>;
  /** Runs to use at the most; 512 unless given. */
  readonly samples?: number | undefined;
  /** Rows that each layer's weights are solved from, about; 15,000 unless given. */
  readonly rows?: number | undefined;
  /** The one ridge for every layer, a share of its inputs' mean variance; chosen for each on held-out samples unless given. */
  readonly ridge?: number | undefined;
  /** Ways to repair a layer that are tried; all unless given. */
  readonly methods?: readonly Method[] | undefined;
  /** Which layers to repair; all unless given. */
  readonly layers?: ((layer: LinearLayer) => boolean) | undefined;
  /** Gradient steps on all layers together after that; 400 unless given, 0 for none. */
  readonly steps?: number | undefined;
  /** Seed of the split of the samples and of the choice of rows; 0 unless given. The same seed gives the same bytes. */
  readonly seed?: number | undefined;
  /** The CPU unless given. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done, and how many of how many steps are. */
  readonly onProgress?: ((step: string, done: number, of: number) => void) | undefined;
}

export const CALIBRATION_SCHEMA = 'onnx-mish/calibration@1';

/** How far the outputs of a model are from the original's, on samples that nothing else has seen. */
export interface Judgement {
  readonly drift: readonly Drift[];
  /** By the labels; null without them. */
  readonly accuracy: Accuracy | null;
}

/** What a calibration did. */
export interface Calibration {
  readonly schema: typeof CALIBRATION_SCHEMA;
  readonly form: SwapReport['form'];
  readonly beta: number;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** Runs of the data, and what they were for. */
  readonly samples: {
    readonly source: Dataset<Feeds>['source'];
    readonly seed: number;
    /** What weights were solved from. */
    readonly fit: number;
    /** What chose between ways to solve them. */
    readonly held: number;
    /** What the models were judged by in the end. */
    readonly judged: number;
  };
  /** In topological order. */
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly LeftAlone[];
  /** The gradient steps, with the loss on held-out samples before and after; null where none were made. */
  readonly tuning: { readonly steps: number; readonly before: number; readonly after: number } | null;
  /** What a reader has to know: why there was no tuning, say. */
  readonly notes: readonly string[];
  /** Accuracy of the original by the labels; null without them. */
  readonly original: Accuracy | null;
  readonly swapped: Judgement;
  readonly calibrated: Judgement;
  /** What the output is: the plain swap where the calibrated model was no better on the judged samples. */
  readonly kept: 'calibrated' | 'swapped';
  /** Seconds that it took. */
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const SHARES = [0.75, 0.125, 0.125] as const;
const SAMPLES = 512;
const ROWS = 15_000;
const STEPS = 400;

/**
 * Swaps the activations of a model and repairs what that does to it, without labels: the linear layers after the sites are
 * solved anew, by least squares, so that their outputs are what the original's were; then gradient steps move all of them
 * together. Samples are split: weights come from the first part, are kept where the second says they help, and the result
 * has to be at least as near to the original as the plain swap on the third, or the output is the plain swap.
 *
 * `model` is a path, beside which external data is found, or bytes; the output's source is a copy in memory. Weights that
 * are solved anew are written in their own element type, into the file even where they were external. There is no record
 * for `undo`: the old weights are gone.
 *
 * Throws as `swap` does, `bad-data` for samples that do not fit or are fewer than three runs, `run-failed`, `aborted`.
 */
export async function calibrate(
  model: string | Uint8Array,
  options: CalibrateOptions,
): Promise<{ output: Spliced; report: Calibration }> {
  const start = performance.now();
  return withDocument(model, (document) =>
    withDataFiles(model, document, async (openData) => {
      const { swapped, report: swap, form } = await swapForWork(document, options);
      const base = { model: typeof model === 'string' ? model : swapped, document: await scan(swapped) };
      const result = await calibrateDocuments({ model, document }, base, swap, openData, options);
      const output = form === swap.form ? result.output : await inForm(await result.output.bytes(), form);
      const seconds = (performance.now() - start) / 1000;
      const sizes = { bytesIn: document.source.size, bytesOut: output.size };
      return { output, report: { ...result.report, form, seconds, ...sizes } };
    }),
  );
}

/** The swapped model in the form that is quickest to run here, if it can hold every site, and the form it is to have. */
async function swapForWork(document: OnnxDocument, options: CalibrateOptions) {
  const wanted = { ...options, undo: false };
  const asked = await swapDocument(document, wanted);
  const form = asked.report.form;
  const plan = { ...planOf(asked.report), form: 'exp' } as const;
  const quick = form === 'exp' ? asked : await swapDocument(document, { plan, undo: false });
  const { output, report } = quick.report.sites.length === asked.report.sites.length ? quick : asked;
  return { swapped: await output.bytes(), report, form };
}

async function inForm(bytes: Uint8Array, form: FormName): Promise<Spliced> {
  return (await retarget(bytes, { form, undo: false })).output;
}

type Result = Omit<Calibration, 'seconds' | 'bytesIn' | 'bytesOut'>;

async function calibrateDocuments(
  original: Base,
  swapped: Base,
  swap: SwapReport,
  openData: OpenData | undefined,
  options: CalibrateOptions,
): Promise<{ output: Spliced; report: Result }> {
  const { seed = 0, samples = SAMPLES, rows = ROWS, steps = STEPS, session, signal } = options;
  const { onProgress = () => {}, provider = getProvider('cpu') } = options;
  const dataset = await dataFor(original.model, provider, options);
  const [fit, held, judged] = splitFeeds(dataset.feeds, SHARES, { seed, limit: samples });
  if (fit === undefined || held === undefined || judged === undefined || fit.runs === 0) {
    throw new OnnxMishError('bad-data', `${dataset.feeds.length} runs of samples are too few to split`, {
      fix: 'Give at least three; some hundreds are better',
    });
  }
  const sites = new Set(swap.sites.filter(({ scope }) => scope === 'graph').map(({ output }) => output));
  const common = { original, fit, held, seed, provider, openData, session, signal };
  const solved = await repairLayers({
    ...{ ...common, swapped, sites, rows },
    ...{ wants: options.layers, ridge: options.ridge, methods: options.methods },
    onProgress: (done, of, label) => onProgress(`solving ${label}`, done, of),
  });
  const repaired = await edited(swapped, solved.edits);
  const notes: string[] = [];
  const tuned = await tuneOrNot(repaired, steps, common, options, notes);
  const changed = solved.layers.filter(({ method }) => method !== 'none').length;
  const layers = Math.max(changed, tuned === null ? 0 : 1);
  const operation = { operation: 'calibrate', form: swap.form, sites: layers } as const;
  const output = await spliceWithRecord(repaired.document, tuned?.edits ?? [], [operation], false);

  onProgress('comparing the outputs', 0, 1);
  const plain = splice(swapped.document.source, []);
  const judge = (candidate: Spliced) => judgeModel(original, candidate, datasetOf(dataset, judged), options);
  const [before, after] = [await judge(plain), await judge(output)];
  const better = isNoWorse(after.drift, before.drift);
  return {
    output: better ? output : plain,
    report: {
      schema: CALIBRATION_SCHEMA,
      form: swap.form,
      beta: swap.beta,
      sites: swap.sites,
      skipped: swap.skipped,
      samples: { source: dataset.source, seed, fit: fit.runs, held: held.runs, judged: judged.runs },
      layers: solved.layers,
      leftAlone: solved.leftAlone,
      tuning: tuned && { steps: tuned.steps, before: tuned.before, after: tuned.after },
      notes,
      original: before.original,
      swapped: { drift: before.drift, accuracy: before.accuracy },
      calibrated: { drift: after.drift, accuracy: after.accuracy },
      kept: better ? 'calibrated' : 'swapped',
    },
  };
}

/** A model with edits made to it, read again. */
async function edited({ model, document }: Base, edits: readonly Edit[]): Promise<Base> {
  const bytes = await splice(document.source, edits).bytes();
  return { model: typeof model === 'string' ? model : bytes, document: await scan(bytes) };
}

/** The gradient steps, or null and a note where they cannot be made. */
async function tuneOrNot(
  repaired: Base,
  steps: number,
  common: Omit<TuneOptions, 'repaired' | 'layers' | 'steps'>,
  { layers: wants = () => true, onProgress }: CalibrateOptions,
  notes: string[],
): Promise<Tuned | null> {
  if (steps === 0) return null;
  const { document } = repaired;
  // Layers before the first site as well: they can make up for what comes after them.
  const everything = new Set(document.graph.inputs.map(({ name }) => name));
  const { layers } = linearLayers(document, indexGraphs(document), everything);
  try {
    const tuned = await tune({
      ...{ ...common, repaired, steps, layers: layers.filter(wants) },
      onProgress: (done, of) => onProgress?.('gradient steps', done, of),
    });
    if (tuned !== undefined) return tuned;
    notes.push(
      'no gradient steps: none reaches a weight, or the opset is below 9, or weights are not float32',
    );
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
    notes.push(`no gradient steps: ${error.what}`);
  }
  return null;
}

/** The data for a model, which has to be opened to know its inputs. */
async function dataFor(
  model: string | Uint8Array,
  provider: Provider,
  { data, session }: CalibrateOptions,
): Promise<Dataset<Feeds>> {
  const open = await provider.open(model, session);
  try {
    return await data(open.inputs, open.outputs);
  } finally {
    await open.close();
  }
}

/** How a changed model compares with its original. */
async function judgeModel(
  { model, document }: Base,
  changed: Spliced,
  data: Dataset<Feeds>,
  { provider = getProvider('cpu'), session, signal }: CalibrateOptions,
): Promise<Judgement & { readonly original: Accuracy | null }> {
  return withChanged(model, changed, document.external.length > 0, async (given) => {
    const original = await provider.open(model, session);
    try {
      const swapped = await provider.open(given, session);
      try {
        const { drift, accuracy } = await compare({ original, swapped }, undefined, data, signal);
        return { drift, accuracy: accuracy?.swapped ?? null, original: accuracy?.original ?? null };
      } finally {
        await swapped.close();
      }
    } finally {
      await original.close();
    }
  });
}

/** Whether no output is further from the original's than it was. One that is broken is, unless it was before. */
function isNoWorse(after: readonly Drift[], before: readonly Drift[]): boolean {
  return after.every(({ rmse, broken }, index) => {
    const was = before[index];
    if (was === undefined || broken > was.broken) return false;
    return was.rmse === null || (rmse !== null && rmse <= was.rmse);
  });
}
