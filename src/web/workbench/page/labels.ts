import type { ArrayInfo } from '../protocol.js';

/** Labelled arrays as the user chose them. */
export interface ChosenLabels {
  readonly arrays: readonly ArrayInfo[] | undefined;
  /** Name of the array with the labels; empty for none. */
  readonly labels: string;
}

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

/** Returns whether samples have a label for each of their places, or another target with such axes. */
export function hasPlaces({ arrays, labels }: ChosenLabels): boolean {
  const [, ...inner] = arrays?.find(({ name }) => name === labels)?.dims ?? [];
  return inner.some((size) => size > 1);
}

/** Returns what is wrong with a typed label; undefined for a valid one. */
export function labelProblem(text: string): string | undefined {
  return text.trim() !== '' && Number.isSafeInteger(Number(text))
    ? undefined
    : 'Give a whole number, such as 255';
}

/** Returns the label to ignore, for the worker: none where samples have one label; undefined if the text is invalid. */
export function ignoredLabel(
  chosen: ChosenLabels,
  text: string,
): { readonly ignoreLabel?: number } | undefined {
  if (!hasPlaces(chosen)) return {};
  return labelProblem(text) === undefined ? { ignoreLabel: Number(text) } : undefined;
}
