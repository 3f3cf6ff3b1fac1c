import { fix } from '../mish/fixes.js';
import type { Target } from '../mish/forms.js';
import type { Spliced } from '../onnx/splice.js';

/** A model for a provider, and what there is to say of it: for WebGL, what that computes wrong is written so that it is right. */
export async function forTarget(
  plain: Spliced,
  target: Target | undefined,
): Promise<{ output: Spliced; notes: string[] }> {
  if (target !== 'webgl') return { output: plain, notes: [] };
  const { output, report } = await fix(await plain.bytes(), { undo: false });
  if (report.fixes.length === 0) return { output: plain, notes: [] };
  const nodes = report.fixes.map(({ op, label }) => `${op} ${label}`).join(', ');
  return { output, notes: [`written otherwise for WebGL, which computes them wrong: ${nodes}`] };
}
