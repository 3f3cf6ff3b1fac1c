import type { Edit } from '../onnx/splice.js';
import type { Remedy } from './webgl/faults.js';

/** Report entry of a node that `fix` rewrote. */
export interface FixedNode {
  /** Node name, or operator and output for an unnamed node. */
  readonly label: string;
  readonly node: string;
  readonly op: string;
  /** Name of its output value. */
  readonly output: string;
  /** The change that was applied. */
  readonly fix: Remedy;
  /** The result that would have been wrong. */
  readonly why: string;
}

/** Result of `fix`. */
export interface FixReport {
  readonly fixes: readonly FixedNode[];
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface FixOptions {
  /** Store the undo record in the model; true by default. */
  readonly undo?: boolean | undefined;
}

/** The edits that avoid WebGL's bugs, to be combined with other edits, and their description. */
export interface Fixes {
  readonly edits: readonly Edit[];
  readonly fixes: readonly FixedNode[];
}
