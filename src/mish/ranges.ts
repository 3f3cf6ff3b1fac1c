import type { Node } from '../onnx/document.js';
import { ALL, hull, type Interval, isEqual } from './intervals.js';
import type { Site } from './site.js';

/** A layer through which a difference of ranges goes. */
export interface Layer {
  readonly layer: Node;
}

/** The ranges of a value, in the original and after a swap, and the origins of their difference. */
export interface Ranges {
  readonly was: Interval;
  readonly is: Interval;
  readonly from: readonly (Ranges | Site | Layer)[];
}

export const UNKNOWN: Ranges = { was: ALL, is: ALL, from: [] };

export const same = (range: Interval): Ranges => ({ was: range, is: range, from: [] });

/** Combines values to one with the given ranges; those whose ranges differ are its origins. */
export function combined(was: Interval, is: Interval, values: readonly (Ranges | undefined)[]): Ranges {
  if (isEqual(was, is)) return same(was);
  return {
    was,
    is,
    from: values.filter((value) => value !== undefined && !isEqual(value.was, value.is)) as Ranges[],
  };
}

/** Returns ranges that hold those of all values. */
export const rangesOfAny = (values: readonly Ranges[]): Ranges =>
  combined(hull(values.map(({ was }) => was)), hull(values.map(({ is }) => is)), values);
