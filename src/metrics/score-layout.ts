// Where the classes are in an output of scores: one class per sample, or one for each place, such as a pixel or a token.
import { OnnxMishError } from '../base/error.js';
import { elementCount } from '../providers/tensor.js';

/** Layout of the class scores of a sample. */
export interface ScoreLayout {
  readonly classes: number;
  /** Number of places, such as pixels, that have a class each; 1 for one class per sample. */
  readonly places: number;
  /** Axis of the classes in the output, whose first axis counts samples. */
  readonly axis: number;
  /** Distance between the scores of two classes at a place, and between two places of a class, in elements. */
  readonly classStride: number;
  readonly placeStride: number;
}

/** Hints at the axis of the classes. */
export interface LayoutHints {
  /** Axis of the classes, where a final Softmax tells it. */
  readonly axis?: number | undefined;
  /** Shape of the targets of one sample. */
  readonly targets?: readonly number[] | undefined;
}

/** Returns the index of the first class's score at a place; places are counted through all samples. */
export function placeStart({ classes, places, placeStride }: ScoreLayout, place: number): number {
  return Math.floor(place / places) * classes * places + (place % places) * placeStride;
}

/**
 * Returns the layout of class scores. `dims` is the shape of the output for one sample. The classes are on the first of these axes, as in
 * PyTorch, unless a final Softmax or the shape of class numbers says that they are on the last. Throws `bad-usage` for a Softmax over
 * another axis.
 */
export function scoreLayout(dims: readonly number[], { axis, targets }: LayoutHints = {}): ScoreLayout {
  const last = dims.length;
  if (axis !== undefined && axis !== 1 && axis !== last) throw unusableAxis(`axis ${axis}`, dims);
  const isLast =
    axis === undefined ? fitsLast(dims, targets) && !fits(dims.slice(1), targets) : axis === last;
  const [first = 1] = dims;
  const classes = isLast ? (dims.at(-1) ?? 1) : first;
  const places = elementCount(dims) / Math.max(1, classes);
  return isLast && last > 1
    ? { classes, places, axis: last, classStride: 1, placeStride: classes }
    : { classes, places, axis: 1, classStride: places, placeStride: 1 };
}

const fitsLast = (dims: readonly number[], targets: readonly number[] | undefined) =>
  dims.length > 1 && fits(dims.slice(0, -1), targets);

/** Tells whether class numbers of this shape are one for each place; axes of 1 do not count. */
function fits(places: readonly number[], targets: readonly number[] | undefined): boolean {
  const long = (dims: readonly number[]) => dims.filter((dim) => dim !== 1);
  return targets !== undefined && String(long(targets)) === String(long(places));
}

/** Returns the error for a Softmax over something else than the second or the last axis. */
export const unusableAxis = (over: string, dims: readonly number[]) =>
  new OnnxMishError('bad-usage', `the final Softmax is over ${over} of [N,${dims}]`, {
    fix: 'Give a model whose classes are on the second or the last axis',
  });

/** Returns the first class with the highest score, of so many at a distance. Comparisons with NaN are false. */
export function highestAt(scores: ArrayLike<number>, from: number, classes: number, stride: number): number {
  let best = 0;
  for (let at = 1; at < classes; at++)
    if ((scores[from + at * stride] ?? 0) > (scores[from + best * stride] ?? 0)) best = at;
  return best;
}
