import type { ModelLayerOptions } from './layer-options.js';
import { compareModelLayers } from './layers.js';
import type { Divergence } from './report-schema.js';

/**
 * Returns the first tensor, in topological order, that differs between two providers running the same model. A tensor
 * differs if its largest difference exceeds `tolerance` times its largest value, or if only the second is not finite.
 * Sites are compared first; other nodes only if no site differs. Returns null if no tensor differs: the comparison
 * misses a bug that disappears when a second node reads the tensor. A denormal counts as equal to 0. Throws as
 * `compareModelLayers` does.
 */
export async function firstModelDivergence(
  options: Omit<ModelLayerOptions, 'sitesOnly'>,
  tolerance: number,
): Promise<Divergence> {
  return (await firstOf(options, true, tolerance)) ?? firstOf(options, false, tolerance);
}

async function firstOf(
  options: Omit<ModelLayerOptions, 'sitesOnly'>,
  sitesOnly: boolean,
  tolerance: number,
): Promise<Divergence> {
  const { rows } = await compareModelLayers({ ...options, sitesOnly, copies: true });
  const divergent = rows.find(({ maxAbs, a, b, problem }) => {
    if (problem !== null || a === null) return a !== null && b === null;
    return maxAbs !== null && maxAbs > tolerance * Math.max(Math.abs(a.min), Math.abs(a.max));
  });
  if (divergent === undefined) return null;
  const { node, op, output, maxAbs, sqnr } = divergent;
  return { node, op, output, maxAbs, sqnr };
}
