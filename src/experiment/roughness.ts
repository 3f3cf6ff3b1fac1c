// A number for the roughness of a surface.

/** Share of the largest loss that rounding may change. Lines that vary less are flat. */
const ROUNDING = 1e-6;
/** Smallest share that sums of double precision can tell from 0. */
const MIN_SHARE = 1e-12;

/**
 * Calculates the roughness of a square surface: the mean, over all rows and columns, of the share of their ups and downs that a
 * line with a single valley would not have. Along a line, the ups and downs are the total variation Σ |fᵢ₊₁ - fᵢ|, and a line
 * with a single valley needs (f₀ - min) + (fₙ - min) of it. So the roughness is 0 for every convex surface, whatever its
 * scale, and tends to 1 with the number and height of the ridges. Leaves out points without a loss. Null if no line
 * has three points.
 */
export function roughnessOf(losses: readonly (number | null)[], points: number): number | null {
  const finite = losses.filter((loss) => loss !== null);
  const flat = ROUNDING * finite.reduce((most, loss) => Math.max(most, Math.abs(loss)), 0);
  const shares: number[] = [];
  for (let line = 0; line < points; line++) {
    const row = losses.slice(line * points, (line + 1) * points);
    const column = Array.from({ length: points }, (_, at) => losses[at * points + line] ?? null);
    for (const values of [row, column]) {
      const share = excessVariation(
        values.filter((loss) => loss !== null),
        flat,
      );
      if (share !== undefined) shares.push(share);
    }
  }
  return shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Returns the share of a line's total variation that a line with a single valley would not have. */
function excessVariation(line: readonly number[], flat: number): number | undefined {
  const [first, last] = [line[0], line.at(-1)];
  if (line.length < 3 || first === undefined || last === undefined) return undefined;
  let [variation, least] = [0, first];
  for (let at = 1; at < line.length; at++) {
    variation += Math.abs((line[at] ?? 0) - (line[at - 1] ?? 0));
    least = Math.min(least, line[at] ?? 0);
  }
  const share = variation <= flat ? 0 : 1 - (first + last - 2 * least) / variation;
  return share < MIN_SHARE ? 0 : share;
}
