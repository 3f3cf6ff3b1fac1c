import { compareModelLayers, type ModelLayerOptions } from './layers.js';
import type { Parting } from './report-schema.js';

/**
 * Finds where a model on one provider first parts from itself on another, in topological order: where a difference is
 * a larger share of the largest value than `tolerance`, or something is not finite that was. Sites come first; all
 * other nodes are compared only where no site parts. Null where nothing does: a bug that goes away when the tensor has
 * one reader more is not found. Differences of denormals against 0 are none. Throws as `compareModelLayers` does.
 */
export async function firstDivergence(
  options: Omit<ModelLayerOptions, 'sitesOnly'>,
  tolerance: number,
): Promise<Parting> {
  return (await firstOf(options, true, tolerance)) ?? firstOf(options, false, tolerance);
}

async function firstOf(
  options: Omit<ModelLayerOptions, 'sitesOnly'>,
  sitesOnly: boolean,
  tolerance: number,
): Promise<Parting> {
  const { rows } = await compareModelLayers({ ...options, sitesOnly, copies: true });
  const parts = rows.find(({ maxAbs, a, b, problem }) => {
    if (problem !== null || a === null) return a !== null && b === null;
    return maxAbs !== null && maxAbs > tolerance * Math.max(Math.abs(a.min), Math.abs(a.max));
  });
  if (parts === undefined) return null;
  const { node, op, output, maxAbs, sqnr } = parts;
  return { node, op, output, maxAbs, sqnr };
}
