import type { Edit } from '../onnx/splice.js';
import type { Remedy } from './webgl/faults.js';

/** A node that was written otherwise, as reports show it. */
export interface FixedNode {
  /** Node name, or operator and output where it has none. */
  readonly label: string;
  readonly node: string;
  readonly op: string;
  /** Name of its output value. */
  readonly output: string;
  /** What was done to it. */
  readonly fix: Remedy;
  /** What would have come out wrong. */
  readonly why: string;
}

/** What `fix` did. */
export interface FixReport {
  readonly fixes: readonly FixedNode[];
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface FixOptions {
  /** Keep in the model what `undo` needs; true unless given. */
  readonly undo?: boolean | undefined;
}

/** The edits that keep a model from WebGL's mistakes, to be combined with others, and what they do. */
export interface Fixes {
  readonly edits: readonly Edit[];
  readonly fixes: readonly FixedNode[];
}
