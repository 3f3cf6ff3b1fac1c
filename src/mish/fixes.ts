import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import type { Remedy } from './webgl/faults.js';

// What is known of WebGL is loaded when it is asked for: most pages have no use for it.

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

/**
 * Writes the nodes that ONNX Runtime Web's WebGL is known to compute wrong so that it computes them right; see `Remedy`. Each is the
 * same function of all finite numbers. Only the main graph is looked at, as WebGL runs no others.
 */
export async function fix(
  input: ModelInput,
  options: FixOptions = {},
): Promise<{ output: Spliced; report: FixReport }> {
  const { fixDocument } = await import('./fix.js');
  return fixDocument(await scan(input), options);
}

/** The fixes of a document where they are wanted; `rewritten` and `analysis` as `webglFixes` takes them. */
export async function fixesFor(
  isWanted: boolean,
  document: OnnxDocument,
  rewritten: ReadonlySet<Node>,
  analysis?: Analysis,
): Promise<Fixes> {
  if (!isWanted) return { edits: [], fixes: [] };
  const { webglFixes } = await import('./fix.js');
  return webglFixes(document, rewritten, analysis);
}
