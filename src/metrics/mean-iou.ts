/** Counts places by their class and by the predicted class. */
export interface IouMeter {
  /** Adds a place by its label and the predicted class; a negative prediction stands for no class. */
  add(label: number, prediction: number): void;
  /**
   * Returns the mean intersection over union. For each class, this is the number of places that have it by label and by prediction,
   * divided by the number that have it by either. Classes that no label and no prediction has do not count. Null without places.
   */
  value(): number | null;
}

/** Creates a meter for so many classes. */
export function iouMeter(classes: number): IouMeter {
  const both = new Float64Array(classes);
  const labelled = new Float64Array(classes);
  const predicted = new Float64Array(classes);
  const count = (counts: Float64Array, at: number) => {
    if (at >= 0) counts[at] = (counts[at] ?? 0) + 1;
  };
  return {
    add(label, prediction) {
      count(labelled, label);
      count(predicted, prediction);
      if (label === prediction) count(both, label);
    },
    value() {
      let [sum, present] = [0, 0];
      for (let at = 0; at < classes; at++) {
        const union = (labelled[at] ?? 0) + (predicted[at] ?? 0) - (both[at] ?? 0);
        if (union === 0) continue;
        sum += (both[at] ?? 0) / union;
        present++;
      }
      return present === 0 ? null : sum / present;
    },
  };
}
