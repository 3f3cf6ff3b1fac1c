import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { Fixes, FixOptions, FixReport } from './fix-report.js';

// What is known of WebGL is loaded when it is asked for: most pages have no use for it.

/**
 * Writes the nodes that ONNX Runtime Web's WebGL is known to compute wrong so that it computes them right; see `Remedy`. Each is the
 * same function of all finite numbers. Only the main graph is looked at, as WebGL runs no others.
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
