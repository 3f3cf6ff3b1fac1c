import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { plural } from '../base/plural.js';
import { outsideClasses } from '../data/labels.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { classesOf, highest, looksLikeScores, MAX_HIGHEST } from './drift.js';
import type { MultiLabelScores } from './multi-label.js';
import { type ShareInterval, wilsonInterval } from './wilson.js';

/** Accuracy on labelled samples, from 0 to 1. */
export interface Accuracy {
  /** Number of samples. */
  readonly n: number;
  readonly top1: number;
  /** Null for five classes or fewer, of which every label is among the five highest. */
  readonly top5: number | null;
  /** Number of labels, such as those of pixels, of which top1 and top5 are shares; absent with one label per sample. */
  readonly places?: number | undefined;
  /** Mean intersection over union of the classes; absent with one label per sample, and where `multiLabel` is. */
  readonly meanIou?: number | undefined;
  /** Measures of several labels per sample, each 0 or 1; absent with one label per sample, and with a class at each place. */
  readonly multiLabel?: MultiLabelScores | undefined;
  /** 95 % intervals that take samples as independent, not their places; absent with one label per sample. */
  readonly top1Interval?: ShareInterval | undefined;
  readonly top5Interval?: ShareInterval | undefined;
}

/** Accuracy with the 95 % intervals of its shares, by Wilson; for places, see `clusteredInterval`. */
export interface AccuracyWithIntervals extends Accuracy {
  readonly top1Interval: ShareInterval;
}

/** Returns an accuracy with the intervals of its shares. */
export function withIntervals(accuracy: Accuracy): AccuracyWithIntervals {
  const { n, top1, top5 } = accuracy;
  const { top1Interval = wilsonInterval(top1, n) } = accuracy;
  if (top5 === null) return { ...accuracy, top1Interval };
  const { top5Interval = wilsonInterval(top5, n) } = accuracy;
  return { ...accuracy, top1Interval, top5Interval };
}

/** Counts correctly classified samples over several runs; `result` ends the count. */
export interface AccuracyMeter {
  /** Checks all labels against an output's classes. Throws `bad-data` for a label outside them. */
  check(scores: Tensor | undefined): void;
  /** Adds class scores, one row per sample. Throws `bad-data` for a label outside the classes. */
  add(scores: Tensor | undefined): void;
  /** Returns the accuracy. Throws `bad-data` unless there were as many rows as labels. */
  result(): Accuracy;
  /** Returns 1 for each sample whose label had the highest score, 0 for others; for places, see `sharesOfClusters`. */
  correct(): Uint8Array | Float64Array;
}

/** Returns the outputs that look like class scores. */
export function scoresAmong(outputs: readonly string[], tensors: Tensors): string[] {
  return outputs.filter((name) => {
    const tensor = ownProperty(tensors, name);
    return tensor !== undefined && looksLikeScores(tensor);
  });
}

/**
 * Returns a meter for the shares of samples whose label has the highest score of `output`, or one of the five
 * highest if there are more classes. With `drawn`, messages name no sample numbers, because the samples are a selection.
 */
export function accuracyMeter(output: string, labels: ArrayLike<number>, drawn = false): AccuracyMeter {
  let n = 0;
  let top1 = 0;
  let top5 = 0;
  let areMany = false;
  const correct: number[] = [];
  const bad = (what: string, fix: string, option?: OptionHint) =>
    new OnnxMishError('bad-data', what, { where: output, fix, option });

  const checkLabel = (label: number, classes: number, sample: number) => {
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      throw bad(outsideClasses(label, classes, drawn ? undefined : sample), 'Number classes from 0');
  };

  return {
    check(scores) {
      const classes = (scores && classesOf(scores)) ?? 0;
      for (let sample = 0; sample < labels.length; sample++)
        checkLabel(labels[sample] as number, classes, sample);
    },
    add(scores) {
      const numbers = scores && toNumbers(scores);
      const classes = scores && classesOf(scores);
      if (scores === undefined || numbers === undefined || classes === undefined) {
        throw bad(
          'its shape changed between runs to one that is not [samples, classes]',
          'Leave out the labels',
          { labels: null },
        );
      }
      areMany ||= classes > MAX_HIGHEST;
      for (let row = 0; row < (scores.dims[0] ?? 0); row++) {
        const sample = n++;
        const label = labels[sample];
        if (label === undefined) continue; // `result` reports the difference
        checkLabel(label, classes, sample);
        const best = highest(numbers, row, classes);
        const isRight = best[0] === label;
        if (isRight) top1++;
        correct.push(isRight ? 1 : 0);
        if (best.includes(label)) top5++;
      }
    },
    result() {
      if (n !== labels.length || n === 0) {
        throw bad(
          `it has ${plural(n, 'row')} for ${plural(labels.length, 'label')}`,
          'Give one label for each row',
        );
      }
      return { n, top1: top1 / n, top5: areMany ? top5 / n : null };
    },
    correct: () => Uint8Array.from(correct),
  };
}

/**
 * Returns how many percentage points of top-1 accuracy the swapped model loses. Calculated from counts, so that half
 * a point is exactly 0.5.
 */
export function top1Drop(original: Accuracy, swapped: Accuracy): number {
  const right = ({ n, places = n, top1 }: Accuracy) => Math.round(places * top1);
  return (100 * (right(original) - right(swapped))) / (original.places ?? original.n);
}

/**
 * Returns the accuracy of outputs, one tensor per run. Throws what an `AccuracyMeter` throws.
 *
 * @example
 * import { accuracy } from 'onnx-mish/validate';
 *
 * const scores = { elemType: 'f32', dims: [2, 3], data: Float32Array.of(1, 0, 0, 0, 2, 1) };
 * accuracy([scores], [0, 2]); // { n: 2, top1: 0.5, top5: null }
 */
export function accuracy(outputs: readonly Tensor[], labels: readonly number[]): Accuracy {
  const meter = accuracyMeter('scores', labels);
  for (const output of outputs) meter.add(output);
  return meter.result();
}
