import type { Edit } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import { affordableWork, PART_SECONDS } from '../work/budget.js';
import { type GatherOptions, gather } from './gather-rows.js';
import { type Multiplier, rowMomentsMeter, type Shift } from './gram-matrix.js';
import { geometryOf } from './layer-rows.js';
import type { GroupSolution } from './layer-solution.js';
import { type Linear, RIDGES } from './least-squares.js';
import type { LinearLayer } from './linear-layers.js';
import { solveFromMoments } from './solve-moments.js';
import { solveFromRows } from './solve-rows.js';
import { storableRows, storedRowsMeter } from './stored-rows.js';

/** Options for solving a layer. */
export interface SolveOptions extends Omit<GatherOptions, 'modelOf'> {
  readonly multiplier: Multiplier;
  /** Ridge of every layer; default: the validation samples choose. */
  readonly ridge?: number | undefined;
  /** Maximum number of iterations for a large layer. */
  readonly iterations: number;
  /** When these iterations end, as `performance.now()` counts; default never. */
  readonly until?: number | undefined;
  /** Returns the model that supplies a layer's inputs; default: the network as repaired so far. */
  readonly inputs?: ((layer: LinearLayer) => Promise<EditableModel>) | undefined;
}

/** Maximum inputs of a group for a direct solution; more take too much time. */
const MAX_DEPTH = 600;
/** Maximum inputs and outputs of a group whose moments are kept; more take too much memory. */
const MAX_WIDTH = 4000;
/** Iterations for a large layer, for all ridges together. */
const MIN_ITERATIONS = 10;
const MAX_ITERATIONS = 100;

/**
 * Gathers the rows of a layer, and solves each group of its channels. `old` has the linear map of each group. With `edits`, `swapped`
 * is the network as repaired so far. Throws as `gather` does.
 */
export async function solveLayer(
  layer: LinearLayer,
  old: readonly Linear[],
  edits: readonly Edit[],
  options: SolveOptions,
): Promise<GroupSolution[]> {
  const { inputs, multiplier } = options;
  const { groups, depth, outputs } = geometryOf(layer);
  const width = depth + outputs;
  const ridges = options.ridge === undefined ? RIDGES : [options.ridge];
  const [before, from] = inputs === undefined ? [edits, options] : [[], { ...options, modelOf: inputs }];
  if (isLarge(layer)) {
    const meters = old.map(() => ({ train: storedRowsMeter(width), validation: storedRowsMeter(width) }));
    const rows = storableRows(options.rows, width * groups);
    const gathered = await gather(layer, before, meters, { ...from, rows });
    const { iterations, until, signal } = options;
    const limits = { iterations, until, signal };
    const solutions: GroupSolution[] = [];
    // One group after the other: each needs memory of its own.
    for (const [group, parts] of gathered.entries())
      solutions.push(await solveFromRows(old[group] as Linear, parts, { ridges, multiplier, ...limits }));
    return solutions;
  }
  const shifts = old.map((): Shift => ({}));
  const meters = shifts.map((shift) => ({
    train: rowMomentsMeter(width, shift, multiplier),
    validation: rowMomentsMeter(width, shift, multiplier),
  }));
  const gathered = await gather(layer, before, meters, from);
  return gathered.map((parts, group) => {
    const shift = shifts[group]?.values ?? new Float64Array(width);
    return solveFromMoments(old[group] as Linear, parts, shift, ridges);
  });
}

/** Returns whether a layer's moments would take too much memory and time. */
function isLarge(layer: LinearLayer): boolean {
  const { depth, outputs } = geometryOf(layer);
  return depth > MAX_DEPTH || depth + outputs > MAX_WIDTH;
}

/** Returns the number of iterations of each large layer for which the time for large layers suffices, or a share of that time. */
export function iterationsFor(layers: readonly LinearLayer[], rows: number, share: number): number {
  const works = layers.filter(isLarge).map((layer) => {
    const { groups, depth, outputs } = geometryOf(layer);
    return groups * depth * outputs * Math.min(depth, 2 * storableRows(rows, (depth + outputs) * groups));
  });
  const work = works.reduce((sum, each) => sum + each, 0);
  return Math.round(
    Math.max(
      MIN_ITERATIONS,
      Math.min(MAX_ITERATIONS, affordableWork(share * PART_SECONDS.large) / Math.max(1, work)),
    ),
  );
}
