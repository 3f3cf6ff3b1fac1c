import { OnnxMishError } from '../base/error.js';
import { type Tensor, toNumbers } from '../providers/tensor.js';
import { classesOf, highest } from './drift.js';

/** Labelled accuracy, 0 to 1. */
export interface Accuracy {
  readonly n: number;
  readonly top1: number;
  readonly top5: number;
}

/** Counts the samples whose label a model finds, run after run; `result` closes it. */
export interface AccuracyMeter {
  /** Class scores, one row a sample. Throws `bad-data` for a label that is no class of them. */
  add(scores: Tensor | undefined): void;
  /** Throws `bad-data` unless there were as many rows as labels. */
  result(): Accuracy;
}

/** The share of samples whose label is the highest class of `output`, and among the five highest. */
export function accuracyMeter(output: string, labels: readonly number[]): AccuracyMeter {
  let n = 0;
  let top1 = 0;
  let top5 = 0;
  const bad = (what: string, fix: string) => new OnnxMishError('bad-data', what, { where: output, fix });

  return {
    add(scores) {
      const numbers = scores && toNumbers(scores);
      const classes = scores && classesOf(scores);
      if (scores === undefined || numbers === undefined || classes === undefined) {
        throw bad('its shape changed from run to run, and it no longer looks like class scores', FIX);
      }
      for (let row = 0; row < (scores.dims[0] ?? 0); row++) {
        const sample = n++;
        const label = labels[sample];
        if (label === undefined) continue; // `result` says how many there are
        if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
          throw bad(`label ${label} of sample ${sample} is none of its ${classes} classes`, 'Count from 0');
        }
        const best = highest(numbers, row, classes);
        if (best[0] === label) top1++;
        if (best.includes(label)) top5++;
      }
    },
    result() {
      if (n !== labels.length || n === 0) {
        throw bad(`it has ${n} rows for ${labels.length} labels`, 'Give one label for each row');
      }
      return { n, top1: top1 / n, top5: top5 / n };
    },
  };
}

const FIX = 'Leave out --labels';

/** How many percentage points of top-1 accuracy the swapped model loses, by counts, so that half a point is 0.5 exactly. */
export function top1Drop(original: Accuracy, swapped: Accuracy): number {
  const right = ({ n, top1 }: Accuracy) => Math.round(n * top1);
  return (100 * (right(original) - right(swapped))) / original.n;
}

/** The accuracy of outputs that are at hand all together, one tensor a run. Throws as an `AccuracyMeter` does. */
export function accuracy(outputs: readonly Tensor[], labels: readonly number[]): Accuracy {
  const meter = accuracyMeter('scores', labels);
  for (const output of outputs) meter.add(output);
  return meter.result();
}
