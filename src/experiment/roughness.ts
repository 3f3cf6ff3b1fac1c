// A number for the roughness of a surface.

/** Smallest loss, as a share of the largest, that the logarithm tells from 0. */
const MIN_LOSS_SHARE = 1e-9;
/** Differences of logarithms that rounding may cause. Lines that vary less are flat. */
const ROUNDING = 1e-6;
/** Smallest share that sums of double precision can tell from 0. */
const MIN_SHARE = 1e-12;

/**
 * Calculates the roughness of a square surface: the mean, over all rows and columns, of the share of their ups and downs that a
 * line with a single valley would not have. Along a line, the ups and downs are the total variation Σ |gᵢ₊₁ - gᵢ| of the
 * logarithm g of the loss, and a line with a single valley needs (g₀ - min) + (gₙ - min) of it. So the roughness is 0 for every
 * convex surface and does not depend on the scale of the losses; it tends to 1 with the number and height of the ridges. By the
 * logarithm, a ridge at the bottom counts as much as one on the slopes, where losses are thousands of times as high. Leaves out
 * points without a loss. Null if no line has three points.
 */
export function roughnessOf(losses: readonly (number | null)[], points: number): number | null {
  const largest = losses.reduce<number>((most, loss) => Math.max(most, loss ?? 0), 0);
  const least = largest > 0 ? MIN_LOSS_SHARE * largest : 1;
  const logs = losses.map((loss) => (loss === null ? null : Math.log(Math.max(loss, least))));
  const shares: number[] = [];
  for (let line = 0; line < points; line++) {
    const row = logs.slice(line * points, (line + 1) * points);
    const column = Array.from({ length: points }, (_, at) => logs[at * points + line] ?? null);
    for (const values of [row, column]) {
      const share = excessVariation(values.filter((value) => value !== null));
      if (share !== undefined) shares.push(share);
    }
  }
  return shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Returns the share of a line's total variation that a line with a single valley would not have. */
function excessVariation(line: readonly number[]): number | undefined {
  const [first, last] = [line[0], line.at(-1)];
  if (line.length < 3 || first === undefined || last === undefined) return undefined;
  let [variation, least] = [0, first];
  for (let at = 1; at < line.length; at++) {
    variation += Math.abs((line[at] ?? 0) - (line[at - 1] ?? 0));
    least = Math.min(least, line[at] ?? 0);
  }
  const share = variation <= ROUNDING ? 0 : 1 - (first + last - 2 * least) / variation;
  return share < MIN_SHARE ? 0 : share;
}
