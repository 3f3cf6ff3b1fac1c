/** Maximum number of digits after the point, and the smallest share that is not rounding noise. */
const MAX_DIGITS = 8;
const MIN_SHARE = 1e-10;

/**
 * Formats a share of at least 0 in percent, without the sign. It has `digits` digits after the point, or as many as tell it from 0 % and
 * 100 %.
 */
export function fixedPercent(share: number, digits = 2): string {
  const text = (100 * share).toFixed(digits);
  const looksLike = (whole: number) => Number(text) === 100 * whole && Math.abs(share - whole) > MIN_SHARE;
  return digits < MAX_DIGITS && (looksLike(0) || looksLike(1)) ? fixedPercent(share, digits + 1) : text;
}
