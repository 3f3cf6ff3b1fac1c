import type { Inspection } from '../mish/inspect.js';
import type { ModelInfo } from './report-schema.js';

/** Returns a report's entry for a model from its inspection and its file's SHA-256. */
export function modelInfo(
  name: string,
  { bytes, opset, sites, mish, kinds: activationCounts }: Inspection,
  sha256: string,
): ModelInfo {
  const kinds = sites.map(({ kind, alpha, elemType }) => {
    return { kind, alpha: Number.isFinite(alpha) ? Number(alpha) : null, elemType };
  });
  return {
    name,
    bytes,
    sha256,
    opset,
    activations: sites.length,
    kinds: counted(kinds),
    activationCounts,
    mish: counted(
      mish.map(({ form, beta, leak, elemType }) => ({ form, beta, alpha: leak ?? null, elemType })),
    ),
  };
}

/** Returns the distinct items, each with its number of occurrences. */
function counted<T extends object>(items: readonly T[]): (T & { count: number })[] {
  const groups = new Map<string, T & { count: number }>();
  for (const item of items) {
    const key = JSON.stringify(item);
    groups.set(key, { ...item, count: (groups.get(key)?.count ?? 0) + 1 });
  }
  return [...groups.values()];
}
