import type { RepairedLinear } from './least-squares.js';

/** A repaired map of a group of channels, from x to y, with its loss. */
export interface TriedMap {
  readonly map: RepairedLinear;
  /** Squared error on validation rows: mean over rows, sum over outputs. */
  readonly loss: number;
}

/** Ways to repair a group of channels of a layer. */
export interface GroupSolution {
  /** Number of training rows. */
  readonly rows: number;
  /** Sum of the outputs' variances on validation rows. */
  readonly variance: number;
  /** Loss of the old map. */
  readonly before: number;
  /** Maps of all groups of a layer are in the same order. */
  readonly tried: readonly TriedMap[];
}
