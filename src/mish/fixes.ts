import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import type { Fixes, FixOptions, FixReport } from './fix-report.js';

// The knowledge of WebGL's bugs is loaded on demand, since most pages do not need it.

/**
 * Replaces the nodes that ONNX Runtime Web's WebGL computes wrong by equivalent nodes that it computes right; see `Remedy`.
 * The function stays the same for all finite numbers. Only the main graph is examined: WebGL runs no other graphs.
 *
 * @example
 * import { fix } from 'onnx-mish';
 *
 * const { output, report } = await fix(bytes);
 * console.log(report.fixes.length, (await output.bytes()).length);
 */
export async function fix(
  input: ModelInput,
  options: FixOptions = {},
): Promise<{ output: Spliced; report: FixReport }> {
  const { fixDocument } = await import('./fix.js');
  return fixDocument(await scan(input), options);
}

/** Returns the fixes of a document if they are wanted. The others have the meaning that they have in `webglFixes`. */
export async function fixesFor(
  isWanted: boolean,
  document: OnnxDocument,
  rewritten: ReadonlySet<Node>,
  analysis?: Analysis,
  raised?: readonly Edit[],
): Promise<Fixes> {
  if (!isWanted) return { edits: [], fixes: [] };
  const { webglFixes } = await import('./fix.js');
  return webglFixes(document, rewritten, analysis, raised);
}
