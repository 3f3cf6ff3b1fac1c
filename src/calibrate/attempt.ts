import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import type { FormName } from '../mish/forms.js';
import { type Operation, spliceWithRecord } from '../mish/history.js';
import type { Plan } from '../mish/plan.js';
import { isQuantizer } from '../mish/quantization.js';
import type { SwapReport } from '../mish/results.js';
import { swapDocument } from '../mish/swap.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type Spliced, splice } from '../onnx/splice.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { type Tuned, type TuneOptions, tune } from './distil.js';
import { layerOnIntegers, QUANTISE_LATER } from './int8/refuse-int8.js';
import type { CalibrateOptions } from './options.js';
import type { SkippedLayer } from './repair/body-layers.js';
import { linearLayers } from './repair/linear-layers.js';
import { ownWeights } from './repair/own-weights.js';
import { type LayerRepair, type Repaired, type RepairOptions, repairLayers } from './repair/repair-layers.js';
import { storeAsRead } from './repair/stored-weights.js';
import { symmetricModel } from './repair/symmetric-inputs.js';
import { MIN_ROUND_STEPS } from './rounds.js';

/** Options that all attempts share. */
export interface Common
  extends Pick<
    RepairOptions & TuneOptions,
    'original' | 'train' | 'validation' | 'costs' | 'share' | 'seed' | 'provider' | 'session' | 'signal'
  > {
  /** When repairs end, as `performance.now()` counts. */
  readonly deadline: number;
  /** Operations that made `original`, for the record. */
  readonly operations: readonly Omit<Operation, 'version'>[];
}

/** A swapped model and its repaired version. */
export interface Attempt {
  readonly swap: SwapReport;
  /** The swap without repair. */
  readonly swapped: Spliced;
  readonly repaired: Spliced;
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly SkippedLayer[];
  readonly tuning: Omit<Tuned, 'edits'> | null;
  readonly notes: readonly string[];
}

/** A swapped model whose layers are solved by least squares; gradient steps start from it. */
export interface SolvedSwap {
  readonly swap: SwapReport;
  readonly swapped: EditableModel;
  readonly repaired: EditableModel;
  readonly solved: Repaired;
  /** Number of elements of weights that were copied for layers, since others read them as well. */
  readonly copied: number;
}

/** Swaps a plan's sites, and solves each layer by least squares. */
export async function solveSwap(
  plan: Plan & { readonly form: FormName },
  rows: number,
  common: Common,
  options: CalibrateOptions,
): Promise<SolvedSwap> {
  const { original } = common;
  const { output, report } = await swapDocument(original.document, { plan, undo: false, blocked: false });
  const plain = await original.edited(output);
  // A model without sites stays as it is. Integers behind a Transpose cannot be written, as they are not stored as the layer reads them.
  const isStored = report.sites.length === 0 || options.int8 !== undefined;
  const { edits, copied } = isStored
    ? { edits: [], copied: 0 }
    : await storeAsRead(plain.document, indexGraphs(plain.document), plain.openData, options.copies);
  const read = edits.length === 0 ? plain : await plain.edited(splice(plain.document.source, edits));
  const sites = new Set(report.sites.map(({ output }) => output));
  const { model: swapped, elements } =
    options.copies === false ? { model: read, elements: 0 } : await ownWeights(read, sites);
  const solved = await repairLayers({
    ...common,
    swapped,
    sites,
    rows,
    include: options.layers,
    ridge: options.ridge,
    methods: options.methods,
    inputs: options.inputs === 'original' ? (layer) => symmetricModel(original, plan, layer) : undefined,
    onProgress: (done, of, label) => options.onProgress?.(`solving ${label}`, done, of),
  });
  const repaired = await swapped.edited(splice(swapped.document.source, solved.edits));
  return { swap: report, swapped: plain, repaired, solved, copied: copied + elements };
}

/** Makes the gradient steps after least squares: `steps`, or rounds of them. */
export async function finishAttempt(
  { swap, swapped, repaired, solved, copied }: SolvedSwap,
  steps: number | undefined,
  common: Common,
  options: CalibrateOptions,
): Promise<Attempt> {
  const notes: string[] = [];
  const layer = layerOnIntegers(swapped.document);
  if (layer !== undefined)
    notes.push(`layers on integers (${layer.opType}) are not repaired: ${QUANTISE_LATER}`);
  else if (options.int8 === undefined && isQuantised(swapped.document, swap))
    notes.push('the model is quantised: int8 (exact or qlinear) swaps its quantised sites, too');
  else if (swap.sites.length === 0)
    notes.push(
      'the model has no sites to swap: it is swapped already, or its activations are of kinds that have to be named',
    );
  if (copied > 0)
    notes.push(
      `weights that other nodes read as well are stored twice, so that layers could be repaired: ${plural(copied, 'number')} more`,
    );
  if (options.layers !== undefined && solved.layers.length === 0)
    notes.push('no layer with weights behind a site has the name that was asked for');
  const tuned = await tuneOrNot(repaired, swap.sites.length === 0 ? 0 : steps, common, options, notes);
  const changed = solved.layers.filter(({ method }) => method !== 'none').length;
  // Gradient steps alone count as one layer, since an operation on no layer is not recorded.
  const layers = Math.max(changed, (tuned?.edits.length ?? 0) > 0 ? 1 : 0);
  const operation = { operation: 'calibrate', form: swap.form, sites: layers } as const;
  return {
    swap,
    swapped: await spliceWithRecord(swapped.document, [], common.operations, false),
    repaired: await spliceWithRecord(
      repaired.document,
      tuned?.edits ?? [],
      [...common.operations, operation],
      false,
    ),
    layers: solved.layers,
    leftAlone: solved.leftAlone,
    tuning: tuned && { steps: tuned.steps, before: tuned.before, after: tuned.after },
    notes,
  };
}

/** Returns whether quantised sites stayed as they are. */
function isQuantised({ graph }: EditableModel['document'], { sites, skipped }: SwapReport): boolean {
  if (skipped.some(({ reason }) => reason === 'quantized')) return true;
  return sites.length === 0 && graph.nodes.some(isQuantizer);
}

/** Makes the gradient steps. Returns null and adds a note if the model allows none. */
async function tuneOrNot(
  repaired: EditableModel,
  steps: number | undefined,
  common: Common,
  { layers: include = () => true, maxSteps, onProgress }: CalibrateOptions,
  notes: string[],
): Promise<Tuned | null> {
  if (steps === 0) return null;
  if (performance.now() > common.deadline) {
    notes.push('no gradient steps: the time was over');
    return null;
  }
  const { document } = repaired;
  // All layers, also before the first site: early layers can compensate errors of later layers.
  const modelInputs = new Set(document.graph.inputs.map(({ name }) => name));
  const { layers } = linearLayers(document, indexGraphs(document), modelInputs);
  try {
    const tuned = await tune({
      ...common,
      repaired,
      steps,
      maxSteps,
      layers: layers.filter(include),
      onProgress: (done, of) => onProgress?.('gradient steps', done, of),
    });
    if (tuned !== undefined && (tuned.steps > 0 || steps !== undefined)) return tuned;
    if (tuned !== undefined) {
      notes.push(`no gradient steps: there was no time for ${MIN_ROUND_STEPS} steps`);
      return null;
    }
    notes.push(
      'no gradient steps: no gradient reaches a weight, the opset is below 9, or the weights are not float32',
    );
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
    notes.push(`no gradient steps: ${error.what}`);
  }
  return null;
}
