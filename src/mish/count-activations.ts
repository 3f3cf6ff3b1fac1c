import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { kindOf } from './activation-kinds.js';
import { loadMatcher } from './load-matcher.js';

/** Counts the activations of all graphs and functions by kind. Several nodes that compute an activation count as one. */
export async function countActivations(
  document: OnnxDocument,
  analysis: Analysis,
): Promise<Record<string, number>> {
  const parts = (await loadMatcher(document))?.findParts(document, analysis);
  const counts = new Map<string, number>();
  for (const { nodes } of document.scopes) {
    for (const node of nodes) {
      const part = parts?.get(node);
      const kind = part === undefined ? kindOf(node)?.name : part.isLast ? part.site?.kind : undefined;
      if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
