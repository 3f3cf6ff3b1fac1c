import { stopIfAborted } from '../../base/abort.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { namer } from '../../onnx/names.js';
import type { Edit } from '../../onnx/splice.js';
import type { RunCosts } from '../work/run-costs.js';
import type { SkippedLayer } from './body-layers.js';
import { openMultiplier } from './gram-matrix.js';
import { geometryOf } from './layer-rows.js';
import { drawSamples, loadOf } from './layer-samples.js';
import type { TriedMap } from './layer-solution.js';
import { layerEdits, linearMaps, rounded } from './layer-weights.js';
import type { Linear, Method, RepairedLinear } from './least-squares.js';
import { type LinearLayer, linearLayers, usesOf } from './linear-layers.js';
import { samplePlan } from './sample-plan.js';
import { iterationsFor, type SolveOptions, solveLayer } from './solve-layer.js';

export interface RepairOptions extends Omit<SolveOptions, 'multiplier' | 'iterations' | 'until' | 'onRun'> {
  /** Work and sizes of a run of the original. */
  readonly costs: RunCosts;
  /** Share of the time for solving layers; default 1. */
  readonly share?: number | undefined;
  /** When to end, as `performance.now()` counts; default never. Layers get fewer samples where those before took longer than planned. */
  readonly deadline?: number | undefined;
  /** Outputs of the swapped sites, in the main graph, in bodies and in functions. */
  readonly sites: ReadonlySet<string>;
  /** Returns whether to repair a layer; default all. */
  readonly include?: ((layer: LinearLayer) => boolean) | undefined;
  /** Methods to try; default all. */
  readonly methods?: readonly Method[] | undefined;
  /** Receives the number of finished layers, with the share of the current layer, their total, and the current layer. */
  readonly onProgress?: ((done: number, of: number, label: string) => void) | undefined;
}

/** Repair of a layer. Losses are on validation samples, divided by the variance of the layer's output in the original. */
export interface LayerRepair {
  readonly label: string;
  readonly op: string;
  /** Name of the layer's output tensor. */
  readonly output: string;
  /** Number of weights and biases. */
  readonly parameters: number;
  readonly rows: number;
  readonly before: number;
  readonly after: number;
  /** Method of the new weights; `none` if the old weights are best. */
  readonly method: Method | 'none';
  readonly ridge: number | null;
  /** Loss of each method and ridge. */
  readonly tried: readonly {
    readonly method: Method;
    readonly ridge: number | null;
    readonly loss: number;
  }[];
}

export interface Repaired {
  /** Edits of the swapped document. */
  readonly edits: readonly Edit[];
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly SkippedLayer[];
}

/** Minimum share by which new weights must lower the loss. */
const MIN_IMPROVEMENT_SHARE = 1e-3;
/**
 * Time past the deadline after which iterations end and the remaining layers keep their weights. On a busy machine half of ResNet-20's layers were less
 * than two minutes late, and giving them up at the deadline cost 16 dB.
 */
const GRACE_MS = 150_000;
/** Why a layer gets no solution: its inputs would change with it, so that a solution made the outputs of all worse. */
const REPEATED = 'its weights are applied again to what they give; gradient steps alone move them';
/** Largest loss, as a share of the variance, that float32 rounding explains. */
const MAX_ROUNDING_SHARE = 1e-12;

/**
 * Solves the linear layers after swapped sites, layer by layer in topological order. A layer's inputs come from the
 * network as repaired so far, its target outputs from the original. New weights replace the old weights if they lower
 * the loss on validation samples. Memory holds a single run and a single layer's moments.
 *
 * Throws `run-failed`, `bad-data`, `aborted`.
 */
export async function repairLayers(options: RepairOptions): Promise<Repaired> {
  const { swapped, sites, provider, signal, share = 1, deadline = Number.POSITIVE_INFINITY } = options;
  const { document } = swapped;
  const { layers, ...found } = linearLayers(document, indexGraphs(document), sites);
  const leftAlone = [...found.leftAlone];
  const fresh = namer(document);
  const edits: Edit[] = [];
  const repaired: LayerRepair[] = [];
  const multiplier = await openMultiplier(provider);
  try {
    const included = layers.filter(options.include ?? (() => true));
    const chosen = included.filter(({ isRepeated }) => isRepeated !== true);
    for (const { label, op, isRepeated } of included)
      if (isRepeated) leftAlone.push({ label, op, why: REPEATED });
    const loads = chosen.map((layer) => loadOf(geometryOf(layer), usesOf(layer), options.costs));
    const available = options.train.runs * options.costs.batch;
    const plan = samplePlan(loads, { rows: options.rows, available, share, deadline });
    const iterations = iterationsFor(chosen, options.rows, share);
    const until = deadline + GRACE_MS;
    for (const [index, layer] of chosen.entries()) {
      stopIfAborted(signal);
      if (performance.now() > until) {
        leftAlone.push({ label: layer.label, op: layer.op, why: 'the time was over' });
        continue;
      }
      const onRun = (done: number) => options.onProgress?.(index + done, chosen.length, layer.label);
      onRun(0);
      const seed = options.seed * 1009 + index; // different positions for each layer
      const drawn = drawSamples({ ...options, seed }, plan.next(), options.costs.batch);
      const result = await repairLayer(
        layer,
        edits,
        { ...options, ...drawn, seed, multiplier, iterations, until, onRun },
        fresh,
      );
      edits.push(...result.edits);
      repaired.push(result.report);
    }
  } finally {
    await multiplier.close();
  }
  return { edits, layers: repaired, leftAlone };
}

async function repairLayer(
  layer: LinearLayer,
  edits: readonly Edit[],
  options: RepairOptions & SolveOptions,
  fresh: (wanted: string) => string,
): Promise<{ edits: Edit[]; report: LayerRepair }> {
  const { swapped, methods } = options;
  const { document, openData } = swapped;
  const old = await linearMaps(document, layer, openData);
  const geometry = geometryOf(layer);
  const solutions = await solveLayer(layer, old, edits, options);
  const variance = sumOf(solutions, (group) => group.variance);
  const share = (value: number) => (variance > 0 ? value / variance : value);
  const before = sumOf(solutions, (group) => group.before);
  let best: { loss: number; of: readonly RepairedLinear[] } | undefined;
  const tried: { method: Method; ridge: number | null; loss: number }[] = [];
  for (let at = 0; at < Math.min(...solutions.map((group) => group.tried.length)); at++) {
    const maps = solutions.map((group) => group.tried[at] as TriedMap);
    const { method, ridge } = (maps[0] as TriedMap).map;
    if (methods !== undefined && !methods.includes(method)) continue;
    const loss = sumOf(maps, (one) => one.loss);
    tried.push({ method, ridge, loss: share(loss) });
    if (share(before) > MAX_ROUNDING_SHARE && loss < (best?.loss ?? before * (1 - MIN_IMPROVEMENT_SHARE)))
      best = { loss, of: maps.map(({ map }) => map) };
  }
  const round = (map: Linear) => (layer.op === 'BatchNormalization' ? map : rounded(map, layer.weight));
  const report: LayerRepair = {
    label: layer.label,
    op: layer.op,
    output: layer.y,
    parameters: geometry.groups * geometry.outputs * (geometry.depth + 1),
    rows: solutions[0]?.rows ?? 0,
    before: share(before),
    after: share(best?.loss ?? before),
    method: best?.of[0]?.method ?? 'none',
    ridge: best?.of[0]?.ridge ?? null,
    tried,
  };
  if (best === undefined) return { edits: [], report };
  return { edits: await layerEdits(document, layer, best.of.map(round), openData, fresh), report };
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}
