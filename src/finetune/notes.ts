import { plural } from '../base/plural.js';
import { sharedSamplesNote } from '../data/shared-samples.js';
import type { FinetuneReport, Score } from './report-schema.js';
import { samplesOfScore } from './samples-of-score.js';

/** Facts that the remarks on a report are about. */
export interface NotedFacts {
  readonly parts: Pick<FinetuneReport['data'], 'testFrom' | 'validation' | 'test'>;
  /** Score of the original on the validation and the test part before training. */
  readonly validation: Score | null;
  readonly test: Score;
  /** Number of test samples that equal a training sample; undefined if it is not known. */
  readonly shared?: number | undefined;
  readonly seeds: number;
  readonly hasControl: boolean;
  readonly hasTeacher: boolean;
  readonly sites: number;
}

/** Number of standard errors by which two shares must differ to be told apart. */
const CLEAR_ERRORS = 4;
/** Fewer test samples than this show only large differences. */
const MIN_TEST_SAMPLES = 500;

/** Returns remarks on how far the figures of a report can be trusted. */
export function finetuneNotes(facts: NotedFacts): string[] {
  const { parts, seeds, hasControl, sites } = facts;
  const notes: string[] = [];
  if (sites === 0) notes.push('no activation was swapped; the model was trained as it is');
  if (parts.testFrom === 'data') {
    notes.push(
      'the test samples are a part of the data; if the original was trained on them, all scores are too high: give unseen samples for the test',
    );
  } else if (knowsValidation(facts)) {
    notes.push(
      'the original is much better on the validation samples than on the test samples: it was probably trained on these data, and the validation part says little',
    );
  }
  const known = sharedSamplesNote(facts.shared, parts.test);
  if (known !== undefined) notes.push(known);
  notes.push(...fewSamplesNotes(samplesOfScore(facts.test, parts)));
  if (hasControl && seeds === 1) {
    notes.push(
      'each arm was trained once: the interval covers the test samples, not the variation between trainings',
    );
  }
  if (facts.hasTeacher) {
    notes.push('the original’s outputs were mixed into the targets, which holds a model near the original');
  }
  return notes;
}

/** Returns a remark on a test part that is too small to tell much; none for others. */
export function fewSamplesNotes(count: number): string[] {
  if (count >= MIN_TEST_SAMPLES) return [];
  return [
    `${plural(count, 'test sample')} ${count === 1 ? 'shows no differences' : 'show only large differences'}`,
  ];
}

/** Returns whether the original scores clearly higher on the validation part than on the test part. */
function knowsValidation({ parts, validation, test }: NotedFacts): boolean {
  const [known, unseen] = [validation?.accuracy, test.accuracy];
  if (known === null || known === undefined || unseen === null) return false;
  const variance = (known * (1 - known)) / parts.validation + (unseen * (1 - unseen)) / parts.test;
  return known - unseen > CLEAR_ERRORS * Math.sqrt(variance);
}
