import { Matrix } from 'ml-matrix';
import { stopIfAborted } from '../../base/abort.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { namer } from '../../onnx/names.js';
import type { Edit } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { LeftAlone } from './body-layers.js';
import { type Gathered, type GatherOptions, gather } from './gather-rows.js';
import { openMultiplier } from './gram-matrix.js';
import { geometryOf } from './layer-rows.js';
import { layerEdits, linearMaps, rounded } from './layer-weights.js';
import {
  type Candidate,
  candidates,
  type Linear,
  lossOf,
  type Method,
  RIDGES,
  varianceOf,
} from './least-squares.js';
import { type LinearLayer, linearLayers } from './linear-layers.js';

export interface RepairOptions extends Omit<GatherOptions, 'multiplier'> {
  /** Outputs of the sites that were swapped, in the main graph and in graphs inside of its nodes. */
  readonly sites: ReadonlySet<string>;
  /** Which layers to repair; all unless given. */
  readonly wants?: ((layer: LinearLayer) => boolean) | undefined;
  /** The one ridge to use; the held-out part chooses unless it is given. */
  readonly ridge?: number | undefined;
  /** Ways to try; all unless given. */
  readonly methods?: readonly Method[] | undefined;
  /** What gives a layer its inputs; the network as repaired so far unless given. */
  readonly inputs?: ((layer: LinearLayer) => Promise<EditableModel>) | undefined;
  readonly onProgress?: ((done: number, of: number, label: string) => void) | undefined;
}

/** What happened to a layer. Losses are shares of the variance of the layer's output in the original, on held-out samples. */
export interface LayerRepair {
  readonly label: string;
  readonly op: string;
  /** Name of the tensor that was compared. */
  readonly output: string;
  /** Numbers that were solved for, the biases among them. */
  readonly parameters: number;
  readonly rows: number;
  readonly before: number;
  readonly after: number;
  /** What was kept of what was tried; `none` where the old weights are best. */
  readonly method: Method | 'none';
  readonly ridge: number | null;
  /** Losses of everything that was tried. */
  readonly tried: readonly {
    readonly method: Method;
    readonly ridge: number | null;
    readonly loss: number;
  }[];
}

export interface Repaired {
  /** For the swapped document. */
  readonly edits: readonly Edit[];
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly LeftAlone[];
}

/** Inputs of a group beyond which its least squares would take too much memory and time. */
const WIDEST = 2400;
/** A loss has to fall by this share to be worth new weights. */
const WORTH = 1e-3;
/** A loss that is no larger than this share of the variance is what float32 rounds. */
const ROUNDING = 1e-12;

/**
 * Solves the linear layers after swapped sites anew, one after the other in topological order: the input as the network
 * gives it that has been repaired so far, the output as the original had it. New weights are kept where they lower the
 * error on held-out samples. Memory is that of one run and of one layer's moments.
 *
 * Throws `run-failed`, `bad-data`, `aborted`.
 */
export async function repairLayers(options: RepairOptions): Promise<Repaired> {
  const { swapped, sites, provider, signal, wants = () => true } = options;
  const { document } = swapped;
  const { layers, leftAlone } = linearLayers(document, indexGraphs(document), sites);
  const fresh = namer(document);
  const edits: Edit[] = [];
  const repaired: LayerRepair[] = [];
  const multiplier = await openMultiplier(provider);
  try {
    const chosen = layers.filter(wants);
    for (const [index, layer] of chosen.entries()) {
      stopIfAborted(signal);
      options.onProgress?.(index, chosen.length, layer.label);
      const seed = options.seed * 1009 + index; // positions of their own for every layer
      const result = await repairLayer(layer, edits, { ...options, seed, multiplier }, fresh);
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
  const ridges = geometry.depth > WIDEST ? [] : options.ridge === undefined ? RIDGES : [options.ridge];
  const sets = gathered.map(({ fit }, group) =>
    candidates(old[group] as Linear, fit, ridges).filter(
      ({ method }) => methods === undefined || methods.includes(method),
    ),
  );
  const round = (map: Linear) => (layer.op === 'BatchNormalization' ? map : rounded(map, layer.weight));
  const loss = (maps: readonly Linear[]) =>
    maps.reduce((sum, map, group) => sum + lossOf(map, (gathered[group] as Gathered).held), 0);
  const variance = gathered.reduce((sum, { held }) => sum + varianceOf(held, geometry.depth), 0);
  const share = (value: number) => (variance > 0 ? value / variance : value);
  const kept = old.map((map, group) => shifted(map, gathered[group] as Gathered));
  const before = loss(kept);
  let best: { loss: number; of: readonly Candidate[] } | undefined;
  const tried: { method: Method; ridge: number | null; loss: number }[] = [];
  for (let at = 0; at < Math.min(...sets.map((set) => set.length)); at++) {
    const maps = sets.map((set) => set[at] as Candidate);
    const { method, ridge } = maps[0] as Candidate;
    const left = loss(maps);
    tried.push({ method, ridge, loss: share(left) });
    if (share(before) > ROUNDING && left < (best?.loss ?? before * (1 - WORTH)))
      best = { loss: left, of: maps };
  }
  const maps = best?.of.map((map, group) => round(unshifted(map, gathered[group] as Gathered)));
  const report: LayerRepair = {
    label: layer.label,
    op: layer.op,
    output: layer.y,
    parameters: geometry.groups * geometry.outputs * (geometry.depth + 1),
    rows: gathered[0]?.fit.n ?? 0,
    before: share(before),
    after: share(best?.loss ?? before),
    method: best?.of[0]?.method ?? 'none',
    ridge: best?.of[0]?.ridge ?? null,
    tried,
  };
  if (maps === undefined) return { edits: [], report };
  return { edits: await layerEdits(document, layer, maps, openData, fresh), report };
}

/** A map of x to y as one of x and y less their shifts. */
function shifted({ weights, bias }: Linear, { shift }: Gathered): Linear {
  return { weights, bias: moved(weights, bias, shift, 1) };
}

/** And back. */
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
