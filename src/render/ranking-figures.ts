// Sentences and rows of tables of a ranking, for every view.
import { integer, plural } from '../base/plural.js';
import type { Degradation } from '../calibrate/select/degradation.js';
import type { Ranking } from '../calibrate/select/ranking.js';
import type { Drawn } from '../calibrate/select/trial.js';
import { pointsText, signed } from '../metrics/paired.js';
import { figure, percent } from './figures.js';
import { writtenName } from './written-name.js';

/** Returns the result of a ranking as a sentence. */
export function concludeRanking({ sites, data }: Ranking): string {
  const [first, last] = [sites[0], sites.at(-1)];
  const on = describeDrawn(data);
  if (first === undefined || last === undefined) return 'The model has no site to swap.';
  const text = ({ measured, estimate }: (typeof sites)[number]) => {
    const harm = measured ?? estimate;
    if (harm === null) return 'not measured';
    const sqnr = sqnrText(harm);
    return /^−?\d/.test(sqnr) && harm.broken === 0 && harm.problem === null ? `SQNR ${sqnr} dB` : sqnr;
  };
  if (sites.length === 1) return `Swapped alone on ${on}, ${first.label} gives ${text(first)}.`;
  return `Of ${plural(sites.length, 'site')}, each swapped alone on ${on}, ${first.label} does the least harm (${text(first)}) and ${last.label} the most (${text(last)}).`;
}

/** Names the activation that was written: `Mish in the exp form, β = 2`. */
export function writtenActivation({
  to,
  form,
  beta,
  int8,
}: Pick<Ranking, 'to' | 'form' | 'beta' | 'int8'>): string {
  const way = int8 === undefined ? '' : `, int8 ${int8}`;
  return `${writtenName({ to, form })}${beta === 1 ? '' : `, β = ${beta}`}${way}`;
}

/** Describes drawn samples: `256 samples (npz)`, or noise. */
export function describeDrawn({ source, samples, noise }: Drawn): string {
  return source === 'seed'
    ? `${plural(samples, 'sample')} of noise (seed ${noise})`
    : `${plural(samples, 'sample')} (${source})`;
}

export const DEGRADATION_HEAD = ['SQNR, dB', 'max abs', 'cosine', 'agreement', 'accuracy, points (95 %)'];

export const RANKING_HEAD = ['rank', 'site', 'kind', 'estimate, dB', ...DEGRADATION_HEAD];

/** Returns a row for each site of a ranking, from harmless to harmful. */
export function rankingRows({ sites }: Ranking): string[][] {
  return sites.map(({ label, kind, estimate, measured }, index) => [
    ...[String(index + 1), label, kind, estimate === null ? '–' : sqnrText(estimate)],
    ...degradationCells(measured ?? estimate),
  ]);
}

/** Returns the figures of a degradation as cells. */
export function degradationCells(harm: Degradation | null): string[] {
  if (harm === null) return DEGRADATION_HEAD.map(() => '–');
  const { maxAbs, cosine, agreement, top1Drop } = harm;
  return [
    ...[sqnrText(harm), figure(maxAbs), figure(cosine, 4), percent(agreement)],
    top1Drop === null ? '–' : `${signed(-top1Drop, figure)}${top1Interval(harm)}`,
  ];
}

/** Formats the 95 % interval of the change of accuracy in points, such as ` (−1.20 to +0.31)`; empty without one. */
export function top1Interval({ top1DropInterval }: Degradation): string {
  if (top1DropInterval === undefined) return '';
  // A gain is a negative drop, so that the ends change places.
  const [low, high] = top1DropInterval.map((points) => pointsText(-points / 100));
  return ` (${high} to ${low})`;
}

/** Formats the SQNR, or the reason why there is none. */
function sqnrText({ sqnr, maxAbs, broken, problem }: Degradation): string {
  if (problem !== null) return problem;
  if (broken > 0) return `${integer(broken)} not finite`;
  return maxAbs === 0 ? 'exact' : figure(sqnr);
}
