// Accuracy by labels for each place of a sample, such as a pixel or a token, or for samples some of which have no label.

import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import { plural } from '../base/plural.js';
import { labelOutside, type PlaceLabels } from '../data/labels.js';
import { elementCount, type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import type { AccuracyMeter } from './accuracy.js';
import { clusteredInterval, samplesThatCount, sharesOfClusters } from './clusters.js';
import { MAX_HIGHEST } from './drift.js';
import { type IouMeter, iouMeter } from './mean-iou.js';
import { areLabels, exactMatch, type F1Meter, f1Meter } from './multi-label.js';
import { highestAt, type ScoreLayout, scoreLayout } from './score-layout.js';

/** Returns the outputs of floats with a score for each class, or one score, at each place of the labels. */
export function placeScoresAmong(
  outputs: readonly string[],
  tensors: Tensors,
  places: PlaceLabels,
): string[] {
  return outputs.filter((name) => {
    const tensor = ownProperty(tensors, name);
    return tensor !== undefined && layoutFor(tensor, places) !== undefined;
  });
}

/** Returns where the classes are in an output, if it has the places of the labels. */
function layoutFor(
  { elemType, dims }: Pick<Tensor, 'elemType' | 'dims'>,
  { dims: targets }: PlaceLabels,
): ScoreLayout | undefined {
  if (!/^(f|bf)\d/.test(elemType) || dims.length === 0) return undefined;
  const inner = dims.slice(1);
  // Axes of length 1 do not count.
  const long = (sizes: readonly number[]) => sizes.filter((size) => size !== 1).join();
  if (long(inner) === long(targets)) {
    const places = elementCount(inner);
    return { classes: 1, places, axis: 1, classStride: places, placeStride: 1 };
  }
  const layout = scoreLayout(inner, { targets });
  const rest = layout.axis === 1 ? inner.slice(1) : inner.slice(0, -1);
  return layout.classes >= 2 && long(rest) === long(targets) ? layout : undefined;
}

/** A meter for places, or for several labels of a sample; with one score for each, the threshold is that of `binaryAccuracyMeter`. */
export interface PlaceAccuracyMeter extends AccuracyMeter {
  /** Returns the score above which a place counts as class 1; null for an output with a score for each class. */
  threshold(): number | null;
}

/** Thresholds of one score: of probabilities, and of scores before the sigmoid. */
const THRESHOLDS = [0.5, 0] as const;

/**
 * Returns a meter for the share of places, or of several labels of a sample, that have the highest score. Its intervals take samples, not places, as independent.
 * With one score for each place, labels are 0 and 1; the threshold is 0.5 if all scores lie between 0 and 1, otherwise 0, unless
 * `thresholdOf` gives it. With `drawn`, messages name no sample numbers.
 */
export function placeAccuracyMeter(
  output: string,
  labels: ArrayLike<number>,
  places: PlaceLabels,
  {
    thresholdOf,
    drawn = false,
  }: { readonly thresholdOf?: () => number | null; readonly drawn?: boolean } = {},
): PlaceAccuracyMeter {
  const perSample = elementCount(places.dims);
  const labelAt = labelReader(output, labels, places, drawn);
  const bad = (what: string, fix: string) => new OnnxMishError('bad-data', what, { where: output, fix });
  let counts: PlaceCounts | undefined;
  const threshold = () =>
    counts?.classes === 1 ? (thresholdOf?.() ?? (counts.areShares() ? THRESHOLDS[0] : THRESHOLDS[1])) : null;
  /** Returns the number of right places of each sample, by the rule that holds. */
  const rightOf = () => counts?.rules[threshold() === 0 ? 1 : 0] ?? newRule(0, 0);
  return {
    check(tensor) {
      const classes = (tensor && layoutFor(tensor, places)?.classes) ?? 0;
      for (let place = 0; place < labels.length; place++) labelAt(place, Math.max(2, classes));
    },
    add(tensor) {
      const layout = tensor && layoutFor(tensor, places);
      const numbers = tensor && toNumbers(tensor);
      if (tensor === undefined || layout === undefined || numbers === undefined)
        throw bad(
          'its shape changed between runs to one without the places of the labels',
          'Leave out the labels',
        );
      counts ??= placeCounts(layout.classes, perSample);
      for (let row = 0; row < (tensor.dims[0] ?? 0); row++) counts.addSample(numbers, row, layout, labelAt);
    },
    result() {
      const { counted = [], top5 = [] } = counts ?? {};
      if (counted.length * perSample !== labels.length || counted.length === 0)
        throw bad(
          `it has ${plural(counted.length, 'row')} for the labels of ${plural(labels.length / perSample, 'sample')}`,
          'Give the labels of each sample',
        );
      const all = counted.reduce((sum, count) => sum + count, 0);
      if (all === 0)
        throw bad(
          `all labels${drawn ? ' of the drawn samples' : ''} are ${places.ignore}, which is ignored`,
          `Give ${drawn ? 'more samples, or ' : ''}other labels, or ignore another one`,
        );
      const { correct, iou, f1 } = rightOf();
      const areMany = (counts?.classes ?? 0) > MAX_HIGHEST;
      const share = (of: readonly number[]) => of.reduce((sum, count) => sum + count, 0) / all;
      return {
        n: samplesThatCount(counted).length,
        top1: share(correct),
        top5: areMany ? share(top5) : null,
        ...(perSample === 1 ? {} : { places: all }),
        ...(perSample === 1
          ? {}
          : counts?.classes === 1 && areLabels(places.dims)
            ? { multiLabel: { exactMatch: exactMatch(correct, counted), ...f1.value() } }
            : { meanIou: iou.value() ?? 0 }),
        top1Interval: clusteredInterval(correct, counted),
        ...(areMany ? { top5Interval: clusteredInterval(top5, counted) } : {}),
      };
    },
    correct: () => sharesOfClusters(rightOf().correct, counts?.counted ?? []),
    threshold,
  };
}

type LabelReader = (place: number, classes: number) => number | undefined;

/** Returns a function that reads and checks the label of a place, counted through all samples; undefined for one that does not count. */
function labelReader(
  output: string,
  labels: ArrayLike<number>,
  { dims, ignore }: PlaceLabels,
  drawn: boolean,
): LabelReader {
  const perSample = elementCount(dims);
  return (place, classes) => {
    const label = labels[place];
    if (label === undefined || label === ignore) return undefined;
    if (Number.isInteger(label) && label >= 0 && label < classes) return label;
    const sample = drawn ? undefined : Math.floor(place / perSample);
    throw labelOutside(label, classes, { sample, where: output });
  };
}

/** Counts of right places, by each rule: one score has two thresholds until all scores are known. */
interface PlaceCounts {
  readonly classes: number;
  /** Number of places of each sample that count, and of those whose label is among the highest classes. */
  readonly counted: number[];
  readonly top5: number[];
  readonly rules: readonly Rule[];
  /** Returns whether all scores lie between 0 and 1. */
  areShares(): boolean;
  addSample(scores: ArrayLike<number>, row: number, layout: ScoreLayout, labelAt: LabelReader): void;
}

/** Counts by one threshold. */
interface Rule {
  /** Number of right places of each sample. */
  readonly correct: number[];
  readonly iou: IouMeter;
  readonly f1: F1Meter;
}

const newRule = (classes: number, perSample: number): Rule => ({
  correct: [],
  iou: iouMeter(classes),
  f1: f1Meter(classes === 2 ? perSample : 0),
});

function placeCounts(classes: number, perSample: number): PlaceCounts {
  const known = Math.max(2, classes);
  const rules = (classes === 1 ? THRESHOLDS : [0]).map(() => newRule(known, perSample));
  const [counted, top5]: [number[], number[]] = [[], []];
  let areShares = true;
  return {
    classes,
    counted,
    top5,
    rules,
    areShares: () => areShares,
    addSample(scores, row, layout, labelAt) {
      const { places } = layout;
      const first = counted.length * places;
      let [count, five] = [0, 0];
      const right = rules.map(() => 0);
      for (let place = 0; place < places; place++) {
        const label = labelAt(first + place, known);
        const start = row * classes * places + place * layout.placeStride;
        const score = scores[start] ?? Number.NaN;
        if (classes === 1 && (score < 0 || score > 1)) areShares = false;
        if (label === undefined) continue;
        count++;
        for (let rule = 0; rule < rules.length; rule++) {
          const answer: number =
            classes === 1 ? sideOf(score, THRESHOLDS[rule] ?? 0, label) : bestAt(scores, start, layout);
          rules[rule]?.iou.add(label, answer);
          if (classes === 1) rules[rule]?.f1.add(place, label, answer);
          if (answer === label) right[rule] = (right[rule] ?? 0) + 1;
        }
        if (classes > MAX_HIGHEST && rankAt(scores, start, layout, label) < MAX_HIGHEST) five++;
      }
      counted.push(count);
      top5.push(five);
      for (const [rule, { correct }] of rules.entries()) correct.push(right[rule] ?? 0);
    },
  };
}

/** Returns the class of one score; for NaN, the one that the label is not. */
function sideOf(score: number, threshold: number, label: number): number {
  return Number.isNaN(score) ? 1 - label : Number(score > threshold);
}

/** Number that no class has, the answer where a score is NaN. */
const NO_CLASS = -1;

function bestAt(scores: ArrayLike<number>, start: number, { classes, classStride }: ScoreLayout): number {
  for (let at = 0; at < classes; at++) if (Number.isNaN(scores[start + at * classStride])) return NO_CLASS;
  return highestAt(scores, start, classes, classStride);
}

/**
 * Returns the number of classes before the label's, by their scores; of equal scores, the lower class comes first. Infinite if a score
 * is NaN.
 */
function rankAt(
  scores: ArrayLike<number>,
  start: number,
  { classes, classStride }: ScoreLayout,
  label: number,
) {
  const own = scores[start + label * classStride] ?? Number.NaN;
  let rank = 0;
  for (let at = 0; at < classes; at++) {
    const score = scores[start + at * classStride] ?? Number.NaN;
    if (Number.isNaN(score)) return Number.POSITIVE_INFINITY;
    if (score > own || (score === own && at < label)) rank++;
  }
  return rank;
}
