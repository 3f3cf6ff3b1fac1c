import type { ArrayInfo } from '../protocol.js';

const LABEL_NAMES = /^(y|labels?|targets?|class(es)?)([_-]?(train|test))?$/i;

/**
 * Returns the array that probably has the labels: by its name, else the only array with one axis; empty if neither exists.
 * An array with the name of an input has no labels.
 */
export function likelyLabels(arrays: readonly ArrayInfo[], inputs: readonly string[] = []): string {
  const candidates = arrays.filter(({ name }) => !inputs.includes(name));
  const named = candidates.find(({ name }) => LABEL_NAMES.test(name));
  const [flat, ...others] = candidates.filter(({ dims }) => dims.length === 1);
  return named?.name ?? (flat !== undefined && others.length === 0 && arrays.length > 1 ? flat.name : '');
}
