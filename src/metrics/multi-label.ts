/** Measures of samples with several labels each, all 0 or 1. */
export interface MultiLabelScores {
  /** Share of samples all of whose labels are right, which is also called subset accuracy. */
  readonly exactMatch: number;
  /** F1 of all labels together; null where no label is 1 and none is predicted. */
  readonly microF1: number | null;
  /** Mean of the F1 of each label; labels that no sample has and no prediction names do not count; null likewise. */
  readonly macroF1: number | null;
}

/** Counts right and wrong predictions of each label. */
export interface F1Meter {
  /** Adds the prediction of a label, by the label's position in the sample. Target and prediction are 0 or 1. */
  add(position: number, target: number, prediction: number): void;
  /** Returns both F1 scores. */
  value(): Pick<MultiLabelScores, 'microF1' | 'macroF1'>;
}

/** Creates a meter for so many labels of each sample. */
export function f1Meter(labels: number): F1Meter {
  // F1 is 2 · right / marked, where `marked` is the number of positive targets plus the number of positive predictions.
  const right = new Float64Array(labels);
  const marked = new Float64Array(labels);
  return {
    add(position, target, prediction) {
      marked[position] = (marked[position] ?? 0) + target + prediction;
      if (target === 1 && prediction === 1) right[position] = (right[position] ?? 0) + 1;
    },
    value() {
      let [rights, all, sum, present] = [0, 0, 0, 0];
      for (let at = 0; at < labels; at++) {
        const [hits = 0, marks = 0] = [right[at], marked[at]];
        if (marks === 0) continue;
        rights += hits;
        all += marks;
        sum += (2 * hits) / marks;
        present++;
      }
      return present === 0
        ? { microF1: null, macroF1: null }
        : { microF1: (2 * rights) / all, macroF1: sum / present };
    },
  };
}

/** Returns the share of samples all of whose predictions that count are right; 0 without samples. */
export function exactMatch(correct: ArrayLike<number>, counted: ArrayLike<number>): number {
  let [samples, exact] = [0, 0];
  for (let at = 0; at < counted.length; at++) {
    if (counted[at] === 0) continue;
    samples++;
    if (correct[at] === counted[at]) exact++;
  }
  return samples === 0 ? 0 : exact / samples;
}

/** Formats an F1 score, from 0 to 1: `0.871`; `–` for none. */
export const f1Text = (score: number | null): string => (score === null ? '–' : score.toFixed(3));

/**
 * Returns whether the predictions of a sample are of several labels rather than of places: one score for each position along a single
 * axis, such as the sigmoids of a tagger. Axes of length 1 do not count.
 */
export const areLabels = (dims: readonly number[]): boolean => dims.filter((size) => size !== 1).length === 1;
