import type { TriedRanges } from './int8/report.js';
import type { QuantisedCandidate } from './quantise-anew.js';
import type { FullComparison } from './select/compare-with-original.js';
import { degradationOf, degradationScore } from './select/degradation.js';

/** Chooses the candidate with the highest `degradationScore`. `compare` compares it with the quantised original. */
export async function chooseRanges(
  candidates: readonly QuantisedCandidate[],
  compare: (candidate: QuantisedCandidate['output']) => Promise<FullComparison>,
): Promise<{ best: QuantisedCandidate; tried: TriedRanges[] }> {
  const tried: TriedRanges[] = [];
  let best: { candidate: QuantisedCandidate; score: number } | undefined;
  for (const candidate of candidates) {
    const degradation = degradationOf(await compare(candidate.output));
    const { sqnr, agreement } = degradation;
    tried.push({ rule: candidate.rule, sqnr, agreement });
    const score = degradationScore(degradation);
    if (best === undefined || score > best.score) best = { candidate, score };
  }
  if (best === undefined) throw new Error('no range was tried');
  return { best: best.candidate, tried };
}
