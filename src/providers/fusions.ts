// Fusions of ONNX Runtime's optimiser that change what a model computes.

import { poolInNeed } from '../mish/zero-padding.js';
import { nodeLabel, type OnnxDocument } from '../onnx/document.js';

/** ONNX Runtime's session option that names optimisers to leave out, separated by semicolons. */
export const DISABLED_OPTIMISERS = 'optimization.disable_specified_optimizers';

/** Optimisers that have to be left out for a model, and the remark on a session without them. */
export interface Unfused {
  readonly optimisers: string;
  readonly note: string;
}

/** Returns the optimisers that would change what a model computes; undefined if there are none. */
export function unfusedIn(document: OnnxDocument): Unfused | undefined {
  const pool = poolInNeed(document);
  if (pool === undefined) return undefined;
  const optimisers = 'Pad_Fusion';
  const note =
    `ONNX Runtime ran without its optimiser ${optimisers}, which drops the zeros of the Pad before MaxPool '${nodeLabel(pool)}' in versions 1.20 to 1.31; ` +
    `sessions of your own need ${DISABLED_OPTIMISERS} = '${optimisers}'`;
  return { optimisers, note };
}
