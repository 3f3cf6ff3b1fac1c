import { fix } from '../mish/fixes.js';
import type { Target } from '../mish/forms.js';
import type { Spliced } from '../onnx/splice.js';

/** Rewrites the nodes that the target computes wrongly (only WebGL does). Returns the model and notes on the nodes. */
export async function forTarget(
  plain: Spliced,
  target: Target | undefined,
): Promise<{ output: Spliced; notes: string[] }> {
  if (target !== 'webgl') return { output: plain, notes: [] };
  const { output, report } = await fix(await plain.bytes(), { undo: false });
  if (report.fixes.length === 0) return { output: plain, notes: [] };
  const nodes = report.fixes.map(({ op, label }) => `${op} ${label}`).join(', ');
  return { output, notes: [`rewritten for WebGL, which computes these nodes wrong: ${nodes}`] };
}
