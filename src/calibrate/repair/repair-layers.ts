import { Matrix } from 'ml-matrix';
import { stopIfAborted } from '../../base/abort.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { namer } from '../../onnx/names.js';
import type { Edit } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { RunCosts } from '../work/run-costs.js';
import type { SkippedLayer } from './body-layers.js';
import { type Gathered, type GatherOptions, gather } from './gather-rows.js';
import { openMultiplier } from './gram-matrix.js';
import { geometryOf } from './layer-rows.js';
import { drawSamples, loadOf, planSamples } from './layer-samples.js';
import { layerEdits, linearMaps, rounded } from './layer-weights.js';
import {
  candidates,
  type Linear,
  lossOf,
  type Method,
  type RepairedLinear,
  RIDGES,
  varianceOf,
} from './least-squares.js';
import { type LinearLayer, linearLayers } from './linear-layers.js';

export interface RepairOptions extends Omit<GatherOptions, 'multiplier' | 'onRun'> {
  /** Work and sizes of a run of the original. */
  readonly costs: RunCosts;
  /** Outputs of the swapped sites, in the main graph, in bodies and in functions. */
  readonly sites: ReadonlySet<string>;
  /** Returns whether to repair a layer; default all. */
  readonly include?: ((layer: LinearLayer) => boolean) | undefined;
  /** Ridge of every layer; default: the validation samples choose. */
  readonly ridge?: number | undefined;
  /** Methods to try; default all. */
  readonly methods?: readonly Method[] | undefined;
  /** Returns the model that supplies a layer's inputs; default: the network as repaired so far. */
  readonly inputs?: ((layer: LinearLayer) => Promise<EditableModel>) | undefined;
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

/** Maximum inputs of a group for least squares; more would take too much memory and time. */
const MAX_DEPTH = 2400;
/** Minimum share by which new weights must lower the loss. */
const MIN_IMPROVEMENT_SHARE = 1e-3;
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
  const { swapped, sites, provider, signal, include = () => true } = options;
  const { document } = swapped;
  const { layers, leftAlone } = linearLayers(document, indexGraphs(document), sites);
  const fresh = namer(document);
  const edits: Edit[] = [];
  const repaired: LayerRepair[] = [];
  const multiplier = await openMultiplier(provider);
  try {
    const chosen = layers.filter(include);
    const loads = chosen.map((layer) => loadOf(geometryOf(layer), layer.y, options.costs));
    const samples = planSamples(loads, options.rows);
    for (const [index, layer] of chosen.entries()) {
      stopIfAborted(signal);
      const onRun = (share: number) => options.onProgress?.(index + share, chosen.length, layer.label);
      onRun(0);
      const seed = options.seed * 1009 + index; // different positions for each layer
      const drawn = drawSamples({ ...options, seed }, samples[index] ?? 0, options.costs.batch);
      const result = await repairLayer(
        layer,
        edits,
        { ...options, ...drawn, seed, multiplier, onRun },
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
  options: RepairOptions & GatherOptions,
  fresh: (wanted: string) => string,
): Promise<{ edits: Edit[]; report: LayerRepair }> {
  const { swapped, methods } = options;
  const { document, openData } = swapped;
  const old = await linearMaps(document, layer, openData);
  const geometry = geometryOf(layer);
  const gathered =
    options.inputs === undefined
      ? await gather(layer, edits, options)
      : await gather(layer, [], { ...options, swapped: await options.inputs(layer) });
  const ridges = geometry.depth > MAX_DEPTH ? [] : options.ridge === undefined ? RIDGES : [options.ridge];
  const sets = gathered.map(({ train }, group) =>
    candidates(old[group] as Linear, train, ridges).filter(
      ({ method }) => methods === undefined || methods.includes(method),
    ),
  );
  const round = (map: Linear) => (layer.op === 'BatchNormalization' ? map : rounded(map, layer.weight));
  const loss = (maps: readonly Linear[]) =>
    maps.reduce((sum, map, group) => sum + lossOf(map, (gathered[group] as Gathered).validation), 0);
  const variance = gathered.reduce((sum, { validation }) => sum + varianceOf(validation, geometry.depth), 0);
  const share = (value: number) => (variance > 0 ? value / variance : value);
  const kept = old.map((map, group) => shifted(map, gathered[group] as Gathered));
  const before = loss(kept);
  let best: { loss: number; of: readonly RepairedLinear[] } | undefined;
  const tried: { method: Method; ridge: number | null; loss: number }[] = [];
  for (let at = 0; at < Math.min(...sets.map((set) => set.length)); at++) {
    const maps = sets.map((set) => set[at] as RepairedLinear);
    const { method, ridge } = maps[0] as RepairedLinear;
    const left = loss(maps);
    tried.push({ method, ridge, loss: share(left) });
    if (share(before) > MAX_ROUNDING_SHARE && left < (best?.loss ?? before * (1 - MIN_IMPROVEMENT_SHARE)))
      best = { loss: left, of: maps };
  }
  const maps = best?.of.map((map, group) => round(unshifted(map, gathered[group] as Gathered)));
  const report: LayerRepair = {
    label: layer.label,
    op: layer.op,
    output: layer.y,
    parameters: geometry.groups * geometry.outputs * (geometry.depth + 1),
    rows: gathered[0]?.train.n ?? 0,
    before: share(before),
    after: share(best?.loss ?? before),
    method: best?.of[0]?.method ?? 'none',
    ridge: best?.of[0]?.ridge ?? null,
    tried,
  };
  if (maps === undefined) return { edits: [], report };
  return { edits: await layerEdits(document, layer, maps, openData, fresh), report };
}

/** Converts a map from x to y into a map from shifted x to shifted y. */
function shifted({ weights, bias }: Linear, { shift }: Gathered): Linear {
  return { weights, bias: moved(weights, bias, shift, 1) };
}

/** Converts a map from shifted x to shifted y back into a map from x to y. */
function unshifted({ weights, bias }: Linear, { shift }: Gathered): Linear {
  return { weights, bias: moved(weights, bias, shift, -1) };
}

function moved(weights: Matrix, bias: Float64Array, shift: Float64Array, sign: 1 | -1): Float64Array {
  const x = Matrix.columnVector(shift.subarray(0, weights.columns));
  const through = weights.mmul(x);
  return bias.map(
    (b, output) => b + sign * (through.get(output, 0) - (shift[weights.columns + output] ?? 0)),
  );
}
