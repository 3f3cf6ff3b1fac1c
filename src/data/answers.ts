// Answers of classifiers, and whether the classifier was trained on pixels in the range of these samples.
import { median } from '../base/quantile.js';
import { type Tensor, toNumbers } from '../providers/tensor.js';

/** Range of samples that look like pixels: whole numbers from 0 to 255, or fractions from 0 to 1. */
export type PixelRange = 'bytes' | 'unit';

/** Distance of the two best scores from which the answer counts as certain: a probability of 1 in float32. */
const CERTAIN_MARGIN = 17;
/** Smallest share of certain answers to pixels that are too large, and largest share of certain answers to the right pixels. */
const MIN_CERTAIN_SHARE = 0.6;
const MAX_CERTAIN_SHARE = 0.3;
/** Smallest share of different answers that the right pixels must keep. A net that was trained on others keeps almost none. */
const MIN_VARIETY = 0.5;
/** Smallest median probability of the best class, in multiples of chance, that the right pixels must give. */
const MIN_CONFIDENCE = 2;
/** Smallest median probability of coarse answers, in multiples of chance and as it is. */
const MIN_COARSE_CONFIDENCE = 1.6;
const MIN_COARSE_PROBABILITY = 0.5;
/** Largest shares, among coarse answers to the right pixels, of certain answers and of the most frequent answer. */
const MAX_COARSE_CERTAIN = 0.4;
const MAX_EQUAL_SHARE = 0.95;
/** Largest share of coarse answers that may be the same in both ranges. A net without biases always gives the same. */
const MAX_AGREEMENT = 0.97;
/** Largest number of classes of a place; more channels are features. */
const MAX_PLACE_CLASSES = 32;
/** Number of places of a sample that are looked at. */
const MAX_PLACES = 16;
/** Distance of these places in shares of all: the golden ratio spreads them evenly. */
const PLACE_STEP = 0.6180339887;

/** Answer of a classifier to a sample, or to a place of a sample. */
export interface Answer {
  readonly best: number;
  /** Distance of the two best scores before softmax. */
  readonly margin: number;
  /** Probability of the best class, in multiples of chance. */
  readonly confidence: number;
  readonly probability: number;
}

/** Returns the answers in the first output with rows of scores; none without such an output. */
export function answersOf(outputs: readonly Tensor[]): Answer[] {
  for (const tensor of outputs) {
    const [rows = 0, width = 0, ...more] = tensor.dims;
    const numbers = /^f(16|32|64)$/.test(tensor.elemType) ? toNumbers(tensor) : undefined;
    if (numbers === undefined || rows < 1 || width < 3 || more.some((dim) => dim !== 1)) continue;
    return Array.from({ length: rows }, (_, row) =>
      answerIn(Array.from({ length: width }, (_, at) => numbers[row * width + at] ?? 0)),
    );
  }
  return [];
}

/**
 * Returns coarse answers: those of a classifier with two classes or a single probability, or those at some places of an output with
 * scores for each place, such as a pixel. Outputs with more channels are features, which give none.
 */
export function coarseAnswersOf(outputs: readonly Tensor[]): Answer[] {
  for (const tensor of outputs) {
    const [rows = 0, width = 0, ...inner] = tensor.dims;
    const places = inner.reduce((product, dim) => product * dim, 1);
    const numbers = /^f(16|32|64)$/.test(tensor.elemType) ? toNumbers(tensor) : undefined;
    if (numbers === undefined || rows < 1 || width < 1 || width > MAX_PLACE_CLASSES || places < 1) continue;
    if (places === 1 ? width > 2 : inner.length < 2) continue;
    if (width === 1 && !areShares(numbers)) continue;
    const looked = Math.min(MAX_PLACES, places);
    return Array.from({ length: rows * looked }, (_, at) => {
      const [row, place] = [Math.floor(at / looked), Math.floor(places * (((at % looked) * PLACE_STEP) % 1))];
      const scores = Array.from(
        { length: width },
        (__, channel) => numbers[(row * width + channel) * places + place] ?? 0,
      );
      const [share = 0] = scores;
      return answerIn(width === 1 ? [1 - share, share] : scores);
    });
  }
  return [];
}

function areShares(numbers: ArrayLike<number>): boolean {
  for (let at = 0; at < numbers.length; at++) {
    const value = numbers[at] ?? 0;
    if (!(value >= 0 && value <= 1)) return false;
  }
  return true;
}

const sumOf = (row: readonly number[]) => row.reduce((total, value) => total + value, 0);

function answerIn(row: readonly number[]): Answer {
  const areProbabilities = Math.abs(sumOf(row) - 1) < 1e-3 && row.every((value) => value >= 0 && value <= 1);
  const scores = areProbabilities ? row.map((value) => Math.log(Math.max(value, 1e-30))) : row;
  const [first = 0, second = 0] = scores.toSorted((a, b) => b - a);
  const total = scores.reduce((all, score) => all + Math.exp(score - first), 0);
  return {
    best: scores.indexOf(first),
    margin: first - second,
    confidence: row.length / total,
    probability: 1 / total,
  };
}

export type Answers = readonly Answer[];

const certainShare = (answers: Answers) =>
  answers.filter(({ margin }) => margin >= CERTAIN_MARGIN).length / answers.length;

/** Returns the number of different answers. */
export const varietyOf = (answers: Answers) => new Set(answers.map(({ best }) => best)).size;

/** Returns whether a classifier is certain of nearly all answers, as on pixels that are too large. */
export const isSaturated = (answers: Answers) => certainShare(answers) >= MIN_CERTAIN_SHARE;

/** Returns whether a classifier gives far fewer different answers than to the same samples in the other range, `scaled`. */
export const isFlat = (given: Answers, scaled: Answers) => varietyOf(given) < MIN_VARIETY * varietyOf(scaled);

/**
 * Returns whether answers look like those of a trained classifier to samples that it knows. `given` are the answers to the same
 * samples as they are, which have the range `range`.
 */
export function looksTrained(answers: Answers, given: Answers, range: PixelRange): boolean {
  const leastVariety = range === 'bytes' ? MIN_VARIETY * varietyOf(given) : 0;
  return (
    certainShare(answers) <= MAX_CERTAIN_SHARE &&
    varietyOf(answers) >= Math.max(2, leastVariety) &&
    median(answers.map(({ confidence }) => confidence)) >= MIN_CONFIDENCE
  );
}

/**
 * Returns whether coarse answers to pixels that are too large are certain and differ from those to the right pixels, which look
 * like those of a trained classifier. Where both are the same, nothing tells the right range.
 */
export function areCoarselyWrong(given: Answers, scaled: Answers): boolean {
  const count = given.length;
  if (count === 0 || certainShare(given) < MIN_CERTAIN_SHARE || certainShare(scaled) > MAX_COARSE_CERTAIN)
    return false;
  const counts = new Map<number, number>();
  for (const { best } of scaled) counts.set(best, (counts.get(best) ?? 0) + 1);
  const agreement = scaled.filter(({ best }, at) => best === given[at]?.best).length / count;
  return (
    Math.max(...counts.values()) <= MAX_EQUAL_SHARE * count &&
    agreement <= MAX_AGREEMENT &&
    median(scaled.map(({ confidence }) => confidence)) >= MIN_COARSE_CONFIDENCE &&
    median(scaled.map(({ probability }) => probability)) >= MIN_COARSE_PROBABILITY
  );
}
