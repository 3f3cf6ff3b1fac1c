import type { FinetuneReport, Score } from './report-schema.js';

/** Returns the number of samples of the test part that a score is of: those with a label that counts. */
export const samplesOfScore = (
  score: Score | null | undefined,
  { test }: Pick<FinetuneReport['data'], 'test'>,
): number => score?.n ?? test;
