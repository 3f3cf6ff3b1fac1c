// Labels of samples: a class for each, or for each of its places, such as pixels or tokens.

import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { elementCount } from '../providers/tensor.js';

/** Class number that does not count by default, as in PyTorch. */
export const DEFAULT_IGNORED_LABEL = -100;

/** Shape of the labels of a sample, and the label that does not count. */
export interface PlaceLabels {
  readonly dims: readonly number[];
  readonly ignore: number;
}

/** Labels of samples in order. */
export interface SampleLabels {
  readonly values: ArrayLike<number>;
  /** Absent with one label per sample. */
  readonly places?: PlaceLabels | undefined;
}

/** Labels of a data set: one for each sample, or for each of its places. */
export interface Labelled {
  /** Class of every sample, in the order of the feeds. */
  readonly labels?: readonly number[];
  /** Class of every place of every sample, such as a pixel or a token, or labels some of which do not count; in place of `labels`. */
  readonly placeLabels?: PlaceLabels & { readonly values: ArrayLike<number> };
}

/** Returns the labels of a data set; undefined without labels. */
export function labelsOf({ labels, placeLabels }: Labelled): SampleLabels | undefined {
  if (placeLabels !== undefined) return { values: placeLabels.values, places: placeLabels };
  return labels === undefined ? undefined : { values: labels };
}

/** Returns the number of labels of a sample. */
export const labelsPerSample = ({ places }: SampleLabels) =>
  places === undefined ? 1 : elementCount(places.dims);

/** Returns the number of labelled samples in each of so many runs of equal size. */
export const labelledPerRun = (labels: SampleLabels, runs: number) =>
  labels.values.length / labelsPerSample(labels) / runs;

/** Returns the labels in some spans of samples, each from its first sample to the one after its last. */
export function labelsIn(
  { labels, placeLabels }: Labelled,
  spans: readonly (readonly [from: number, to: number])[],
): Labelled {
  if (placeLabels !== undefined) {
    const { values, dims } = placeLabels;
    const each = elementCount(dims);
    const chosen = new Float64Array(each * spans.reduce((sum, [from, to]) => sum + to - from, 0));
    let at = 0;
    for (const [from, to] of spans)
      for (let place = from * each; place < to * each; place++) chosen[at++] = values[place] ?? 0;
    return { placeLabels: { ...placeLabels, values: chosen } };
  }
  return labels === undefined ? {} : { labels: spans.flatMap(([from, to]) => labels.slice(from, to)) };
}

/** Describes a label that is not a class number. Without `sample`, the description names no sample. */
export function outsideClasses(label: number, classes: number, sample: number | undefined): string {
  const of = sample === undefined ? '' : ` of sample ${sample}`;
  return `label ${label}${of} is outside the ${plural(classes, 'class', 'classes')} (0 to ${classes - 1})`;
}

/** Returns the `bad-data` error for a label that is not a class number, with the advice to ignore it where a label can be ignored. */
export function labelOutside(
  label: number,
  classes: number,
  { sample, where }: { readonly sample: number | undefined; readonly where: string | undefined },
): OnnxMishError {
  const what = outsideClasses(label, classes, sample);
  const fix = 'Number classes from 0';
  if (!Number.isSafeInteger(label)) return new OnnxMishError('bad-data', what, { where, fix });
  return new OnnxMishError('bad-data', what, {
    where,
    fix: `${fix}. If ${label} marks places without a class, ignore the label ${label}`,
    option: { ignoreLabel: label },
  });
}
