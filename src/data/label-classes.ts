import { OnnxMishError } from '../base/error.js';
import { elementCount, type Tensor, toNumbers } from '../providers/tensor.js';

/** Class of every sample, and whether they were one-hot. */
export interface Classes {
  readonly numbers: readonly number[];
  readonly oneHot: boolean;
}

/** Returns the note that labels were one-hot. */
export const oneHotNote = (name: string) =>
  `the labels '${name}' are one-hot: the position of the 1 is the class`;

/** Returns the classes of labels: an integer for each sample, or a row with a single 1. Throws `bad-data`. */
export function labelClasses(array: Tensor, name: string): Classes {
  const numbers = Array.from(toNumbers(array) ?? []);
  const [, ...inner] = array.dims;
  const width = elementCount(inner);
  if (array.dims.length > 0 && width === 1 && numbers.every(Number.isInteger))
    return { numbers, oneHot: false };
  const rows = isRow(inner) ? positionsOfOnes(numbers, width) : undefined;
  if (rows !== undefined) return { numbers: rows, oneHot: true };
  throw new OnnxMishError('bad-data', `the labels '${name}' are ${array.elemType} [${array.dims}]`, {
    fix:
      !isRow(inner) && inner.length > 1
        ? 'Give class numbers: one for each sample, pixel or token'
        : 'Give one class number for each sample, or rows with a single 1; for scores, y.argmax(axis=1)',
  });
}

/**
 * Returns labels that are a class number for each place of a sample, such as a pixel or a token; undefined for others. A second
 * axis, a number above 1, or several ones in a row tell them from one-hot rows.
 */
export function classesOfPlaces(array: Tensor): ArrayLike<number> | undefined {
  const numbers = toNumbers(array) ?? [];
  const inner = array.dims.slice(1);
  if (numbers.length === 0 || elementCount(inner) === 1) return undefined;
  // A label that is ignored may be negative.
  const areClasses = Array.prototype.every.call(numbers, Number.isInteger);
  const areRows = isRow(inner) && positionsOfOnes(numbers, elementCount(inner)) !== undefined;
  return areClasses && !areRows ? numbers : undefined;
}

/** Tells whether the labels of a sample may be a one-hot row, by their shape: masks have two long axes or more. */
export const isRow = (inner: readonly number[]): boolean => inner.filter((dim) => dim !== 1).length === 1;

/** Returns the position of the 1 in each row; undefined unless each row has one 1 and otherwise zeros. */
export function positionsOfOnes(values: ArrayLike<number>, width: number): number[] | undefined {
  const positions: number[] = [];
  for (let start = 0; start < values.length; start += width) {
    let position = -1;
    for (let at = 0; at < width; at++) {
      const value = values[start + at];
      if (value === 0) continue;
      if (value !== 1 || position >= 0) return undefined;
      position = at;
    }
    if (position < 0) return undefined;
    positions.push(position);
  }
  return positions.length === 0 ? undefined : positions;
}
