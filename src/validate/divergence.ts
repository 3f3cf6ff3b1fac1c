import { compareLayers, type LayerOptions } from './layers.js';
import type { Parting } from './report-schema.js';

/**
 * The first site, in topological order, at which a model on one provider parts from itself on another: where a
 * difference is a larger share of the largest value than `tolerance`, or something is not finite that was. Null where
 * no site does; a mistake that goes away when the tensor has one reader more is not found. Throws as `compareLayers` does.
 */
export async function firstParting(
  options: Omit<LayerOptions, 'sitesOnly'>,
  tolerance: number,
): Promise<Parting> {
  const { rows } = await compareLayers({ ...options, sitesOnly: true, copies: true });
  const parts = rows.find(({ maxAbs, a, b, problem }) => {
    if (problem !== null || a === null) return a !== null && b === null;
    return maxAbs !== null && maxAbs > tolerance * Math.max(Math.abs(a.min), Math.abs(a.max));
  });
  if (parts === undefined) return null;
  const { node, op, output, maxAbs, sqnr } = parts;
  return { node, op, output, maxAbs, sqnr };
}
