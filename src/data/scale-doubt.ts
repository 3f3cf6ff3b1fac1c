import { OnnxMishError } from '../base/error.js';
import type { Advice } from '../base/option-hint.js';
import { median } from '../base/quantile.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import {
  type Answer,
  answersOf,
  areCoarselyWrong,
  coarseAnswersOf,
  isFlat,
  isSaturated,
  looksTrained,
  type PixelRange,
  varietyOf,
} from './answers.js';
import type { Dataset, Feeds } from './dataset.js';
import { residualsOf, restoresBetter } from './restored.js';

/** Largest value of a byte, by which pixels are usually divided. */
const MAX_BYTE = 255;
/** Whole numbers up to this one are no bytes of an image: they count or name something. */
const MIN_LARGEST_BYTE = 16;
/** Fractions up to this one are no pixels from 0 to 1. */
const MIN_LARGEST_FRACTION = 0.5;
/** Number of samples to look at, a few of them first, and the smallest number that allows a conclusion. */
const MAX_SAMPLES = 64;
const FEW_SAMPLES = 16;
const MIN_SAMPLES = 8;
/** Largest number of different answers among the first samples for pixels that are too small. */
const MAX_FEW_ANSWERS = 3;
/** Ratio of variances, measured over stored, from which a scale is wrong, and within which a scale is right. 255² is 65,025. */
const WRONG_VARIANCE = 1000;
const RIGHT_VARIANCE = 100;

/** A normalisation inside a model whose stored variance tells the scale that its training had. */
export interface NormInput {
  /** Variance of each channel in the training. */
  readonly variance: ArrayLike<number>;
  /** Returns the normalisation's input in a run. */
  tensor(feeds: Tensors, outputs: Tensors): Tensor | undefined;
}

/** Facts for `scaleDoubt` besides the samples. */
export interface DoubtOptions {
  readonly source?: Dataset['source'] | undefined;
  readonly norm?: NormInput | undefined;
  /** Names of the model's outputs; default: all outputs of a run. */
  readonly outputs?: readonly string[] | undefined;
}

/**
 * Returns advice if samples look like pixels in another range than the original was trained on: from 0 to 255 instead of 0
 * to 1, or the reverse. The original shows it. Its first batch normalisation stores the variance of its input. A
 * classifier is certain of nearly every answer on pixels that are too large, and answers nearly the same to all pixels
 * that are too small; on the same pixels in the other range, it gives various answers, and is as sure as a trained
 * classifier. A classifier of two classes, or of each place of an image, is certain of nearly every answer on pixels that are
 * too large; on the right pixels it is less certain, and gives other answers. A model that restores its input, such as one that removes
 * noise, does so best in the range of its training. Returns undefined for other samples and models, and for a model that does not run on
 * pixels in the other range. Throws what `run` throws on the samples.
 */
export async function scaleDoubt(
  feeds: Feeds,
  run: (feeds: Tensors) => Promise<Tensors>,
  options: DoubtOptions = {},
): Promise<Advice | undefined> {
  const pixels = await firstPixels(feeds);
  if (pixels === undefined) return undefined;
  const { name, tensors, range } = pixels;
  const factor = range === 'bytes' ? 1 / MAX_BYTE : MAX_BYTE;
  const watch = (by: number) => watchRuns(run, name, by, options);
  const [given, scaled] = [watch(1), watch(factor)];
  const advice = (reason: string) => adviceOn(range, reason, options.source);

  const few = tensors.slice(0, countFor(tensors, FEW_SAMPLES));
  if (options.norm !== undefined) {
    await given.add(few);
    const ratio = given.varianceRatio();
    if (isRight(ratio)) return undefined;
    if (range === 'bytes' ? ratio >= WRONG_VARIANCE : ratio <= 1 / WRONG_VARIANCE) {
      if (!(await scaled.add(few))) return undefined;
      if (isRight(scaled.varianceRatio())) return advice(REASONS.norm[range]);
    }
  }
  await given.add(few);
  if (given.residuals.length > 0) {
    await given.add(tensors);
    if (!(await scaled.add(tensors))) return undefined;
    if (restoresBetter(scaled.residuals, given.residuals)) return advice(REASONS.restored[range]);
  }
  const mayBeFlat = given.answers.length > 0 && varietyOf(given.answers) <= MAX_FEW_ANSWERS;
  if (range === 'unit' && !mayBeFlat) return undefined;
  for (const tensor of tensors) {
    await given.add([tensor]);
    if (!(await scaled.add([tensor]))) return undefined;
    if (given.answers.length + (range === 'bytes' ? given.coarse.length : 0) === 0) return undefined;
  }
  if (given.answers.length === 0) {
    const isKnown = rowsOf(tensors) >= MIN_SAMPLES && given.coarse.length === scaled.coarse.length;
    return isKnown && areCoarselyWrong(given.coarse, scaled.coarse) ? advice(REASONS.coarse) : undefined;
  }
  if (given.answers.length < MIN_SAMPLES || scaled.answers.length !== given.answers.length) return undefined;
  const isWrong = range === 'bytes' ? isSaturated(given.answers) : isFlat(given.answers, scaled.answers);
  return isWrong && looksTrained(scaled.answers, given.answers, range)
    ? advice(REASONS.classes[range])
    : undefined;
}

const REASONS = {
  norm: {
    bytes: 'its batch normalisation expects the spread of the same samples divided by 255',
    unit: 'its batch normalisation expects the spread of the same samples multiplied by 255',
  },
  classes: {
    bytes: 'it is certain of every answer on them, and not on the same samples divided by 255',
    unit: 'it answers nearly the same to all of them, and not to the same samples multiplied by 255',
  },
  /** The reason for coarse answers; only pixels of 0 to 255 cause it. */
  coarse:
    'it is certain of nearly every answer on them, and gives other answers to the same samples divided by 255',
  restored: {
    bytes: 'its output is nearer to the same samples divided by 255, if it gets those',
    unit: 'its output is nearer to the same samples multiplied by 255, if it gets those',
  },
} as const;

/** Factor of 255 as the deviation that images are divided by. */
const BYTE_DEVIATION = Number((1 / MAX_BYTE).toPrecision(6));

function adviceOn(range: PixelRange, reason: string, source: Dataset['source'] | undefined): Advice {
  const isFedAsIs = source === 'onnx-test'; // no option scales test cases
  if (range === 'bytes') {
    const text = `the samples reach from 0 to 255, and the model seems to be trained on pixels from 0 to 1: ${reason}. Divide them`;
    return isFedAsIs ? { text } : { text, option: { scale: '1/255' } };
  }
  const text = `the samples reach from 0 to 1, and the model seems to be trained on pixels from 0 to 255: ${reason}. Multiply them`;
  if (isFedAsIs) return { text };
  return { text, option: source === 'images' ? { std: BYTE_DEVIATION } : { scale: MAX_BYTE } };
}

/** Returns the first samples of the only input, if they look like pixels. */
export async function firstPixels(
  feeds: Feeds,
): Promise<{ name: string; tensors: readonly Tensor[]; range: PixelRange } | undefined> {
  const tensors: Tensor[] = [];
  let only: string | undefined;
  for await (const feed of feeds) {
    const [name, ...others] = Object.keys(feed);
    const tensor = feed[name ?? ''];
    if (tensor === undefined || others.length > 0 || !isFloat(tensor)) return undefined;
    only = name;
    tensors.push(tensor);
    if (rowsOf(tensors) >= MAX_SAMPLES) break;
  }
  const range = rangeOf(tensors);
  return range === undefined || only === undefined ? undefined : { name: only, tensors, range };
}

const rowsOf = (tensors: readonly Tensor[]) => tensors.reduce((rows, { dims }) => rows + (dims[0] ?? 1), 0);

/** Returns how many of the tensors hold this number of samples together, or the number of all. */
function countFor(tensors: readonly Tensor[], samples: number): number {
  const found = tensors.findIndex((_, at) => rowsOf(tensors.slice(0, at + 1)) >= samples);
  return found < 0 ? tensors.length : found + 1;
}

const isFloat = ({ elemType, data }: Tensor) =>
  (elemType === 'f32' || elemType === 'f64') &&
  (data instanceof Float32Array || data instanceof Float64Array);

/** Returns the range of samples that look like pixels. */
function rangeOf(tensors: readonly Tensor[]): PixelRange | undefined {
  let largest = 0;
  let areWhole = true;
  for (const { data } of tensors) {
    for (const value of data as Float32Array) {
      if (!(value >= 0 && value <= MAX_BYTE)) return undefined;
      areWhole &&= Number.isInteger(value);
      if (value > largest) largest = value;
      if (!areWhole && largest > 1) return undefined;
    }
  }
  if (areWhole) return largest >= MIN_LARGEST_BYTE ? 'bytes' : undefined;
  return largest >= MIN_LARGEST_FRACTION ? 'unit' : undefined;
}

/**
 * Runs a model on samples times a factor, each tensor once. Collects its answers, its residuals and the input of its
 * normalisation.
 */
function watchRuns(
  run: (feeds: Tensors) => Promise<Tensors>,
  name: string,
  factor: number,
  { norm, outputs }: DoubtOptions,
) {
  const seen = new Set<Tensor>();
  const [answers, coarse]: [Answer[], Answer[]] = [[], []];
  const residuals: (number | undefined)[] = [];
  const spread = norm && spreadMeter(norm.variance);
  return {
    answers,
    /** Answers of fewer than three classes, or at places of a sample. */
    coarse,
    residuals,
    varianceRatio: () => spread?.ratio() ?? Number.NaN,
    /** Returns false if the model does not run on samples times the factor. Throws what a run of the samples themselves throws. */
    async add(tensors: readonly Tensor[]): Promise<boolean> {
      for (const tensor of tensors) {
        if (seen.has(tensor)) continue;
        seen.add(tensor);
        const fed = factor === 1 ? tensor : multiplied(tensor, factor);
        const feeds = { [name]: fed };
        const results = await run(feeds).catch((error: unknown) => {
          if (factor !== 1 && error instanceof OnnxMishError && error.code === 'run-failed') return undefined;
          throw error;
        });
        if (results === undefined) return false;
        const made = outputs?.flatMap((output) => results[output] ?? []) ?? Object.values(results);
        answers.push(...answersOf(made));
        coarse.push(...coarseAnswersOf(made));
        residuals.push(...residualsOf(fed, made));
        spread?.add(norm?.tensor(feeds, results));
      }
      return true;
    },
  };
}

const multiplied = (tensor: Tensor, factor: number): Tensor => ({
  ...tensor,
  data: (tensor.data as Float32Array).map((value) => value * factor),
});

/** Measures the variance of each channel, the second axis, against a stored variance. */
function spreadMeter(stored: ArrayLike<number>) {
  const channels = stored.length;
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  let count = 0;
  return {
    add(tensor: Tensor | undefined): void {
      const numbers = tensor && toNumbers(tensor);
      const [rows = 0, width = 0] = tensor?.dims ?? [];
      if (numbers === undefined || rows === 0 || width !== channels) return;
      const inner = numbers.length / (rows * channels);
      for (let at = 0; at < numbers.length; at++) {
        const channel = Math.floor(at / inner) % channels;
        const value = numbers[at] ?? 0;
        sums[channel] = (sums[channel] ?? 0) + value;
        squares[channel] = (squares[channel] ?? 0) + value * value;
      }
      count += rows * inner;
    },
    /** Returns the median over the channels of measured over stored variance; NaN without a channel that varies. */
    ratio(): number {
      const largest = Array.prototype.reduce.call(stored, (a, b) => Math.max(a as number, b), 0) as number;
      const ratios: number[] = [];
      for (let channel = 0; channel < channels && count > 1; channel++) {
        const expected = stored[channel] ?? 0;
        if (expected < MIN_VARIANCE_SHARE * largest || expected === 0) continue;
        const mean = (sums[channel] ?? 0) / count;
        ratios.push(((squares[channel] ?? 0) / count - mean * mean) / expected);
      }
      return median(ratios);
    },
  };
}

/** Channels with a smaller share of the largest variance are dead and tell nothing. */
const MIN_VARIANCE_SHARE = 1e-6;

const isRight = (ratio: number) => ratio > 1 / RIGHT_VARIANCE && ratio < RIGHT_VARIANCE;
