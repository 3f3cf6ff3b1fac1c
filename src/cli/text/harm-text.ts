import type { Degradation } from '../../calibrate/select/degradation.js';
import { signed } from '../../metrics/paired.js';
import { withMinus } from '../../render/figures.js';
import { top1Interval } from '../../render/ranking-figures.js';
import { clean, integer } from './text.js';

/** Formats a figure with a few significant digits. */
export function shortFigure(value: number): string {
  if (value === 0) return '0';
  return withMinus(
    Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5
      ? String(Number(value.toPrecision(3)))
      : value.toExponential(1),
  );
}

/** Formats an SQNR, such as `24.1 dB`; `exact` for identical outputs. */
export function sqnrText({ sqnr, maxAbs, broken, problem }: Degradation): string {
  if (problem !== null) return clean(problem);
  if (broken > 0) return `${integer(broken)} not finite`;
  if (sqnr === null) return maxAbs === 0 ? 'exact' : '–';
  return withMinus(`${Number(sqnr.toFixed(1))} dB`);
}

/** Formats a share in percent; only 1 becomes 100 %. */
export function shareText(share: number | null): string {
  if (share === null) return '–';
  const percent = Math.floor(1e4 * share + 1e-6) / 100;
  return `${percent} %`;
}

/** Formats the change of accuracy in points with its interval, such as `−0.7 (−1.2 to −0.2)`; `–` without one. */
export function top1Text(harm: Degradation | null | undefined): string {
  if (harm?.top1Drop == null) return '–';
  return `${signed(-harm.top1Drop, shortFigure)}${top1Interval(harm)}`;
}

/** Formats all figures of a degradation in a line. */
export function harmText(harm: Degradation): string {
  const { maxAbs, cosine, agreement, top1Drop, broken, problem } = harm;
  if (problem !== null || broken > 0) return sqnrText(harm);
  return [
    ...(agreement === null ? [] : [`agreement ${shareText(agreement)}`]),
    `SQNR ${sqnrText(harm)}`,
    ...(maxAbs === null ? [] : [`max abs ${shortFigure(maxAbs)}`]),
    ...(cosine === null ? [] : [`cosine ${withMinus(String(Number(cosine.toFixed(4))))}`]),
    ...(top1Drop === null ? [] : [`accuracy ${signed(-top1Drop, shortFigure)} points${top1Interval(harm)}`]),
  ].join(', ');
}
