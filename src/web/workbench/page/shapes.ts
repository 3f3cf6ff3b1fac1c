// Reads numbers that the user typed.
import { ownProperty } from '../../../base/own.js';
import { readFactor } from '../../../data/factor.js';
import type { ValueSummary } from '../../../mish/inspect.js';
import type { ArrayChanges, InputChoice, RunChoice } from '../protocol.js';
import { ignoredLabel } from './labels.js';
import type { Feed } from './state.js';

/** Returns what is wrong with the typed size of a dimension; undefined for a valid one, and for an empty field where the run chooses. */
export function sizeProblem(text: string, isChosen = false): string | undefined {
  if (isChosen && text.trim() === '') return undefined;
  return /^[1-9]\d{0,8}$/.test(text.trim()) ? undefined : 'Give a whole number of 1 or more';
}

/** Returns what is wrong with a typed shape such as `1, 3, 224, 224`. */
export function shapeProblem(text: string): string | undefined {
  return text.split(',').every((size) => sizeProblem(size) === undefined)
    ? undefined
    : 'Give the sizes with commas between them, such as 1, 3, 224, 224';
}

/** Returns the typed size of a dimension; empty if none was typed. */
export const typedSize = ({ dims }: Pick<Feed, 'dims'>, symbol: string): string =>
  ownProperty(dims, symbol) ?? '';

/** Returns the typed shape of an input; empty if none was typed. */
export const typedShape = ({ shapes }: Pick<Feed, 'shapes'>, input: string): string =>
  ownProperty(shapes, input) ?? '';

/** Returns what is wrong with a typed mean or standard deviation, which are three numbers. */
export function rgbProblem(text: string): string | undefined {
  return rgb(text).length === 3 && rgb(text).every((value) => Number.isFinite(value))
    ? undefined
    : 'Give three numbers with commas between them: red, green, blue';
}

const rgb = (text: string): number[] =>
  text.split(',').map((value) => (value.trim() === '' ? Number.NaN : Number(value)));

/** The choices that decide which sizes the user has to give. */
export interface SizeNeeds extends Pick<Feed, 'kind'> {
  /** Whether the work chooses how many samples go into a run. */
  readonly ownRuns: boolean;
}

const areArrays = (kind: Feed['kind']) => kind === 'npz' || kind === 'bundled';

/**
 * Returns the inputs with a dimension that has neither size nor name; the user may have to type their whole shape. Arrays
 * have a shape, of which only the number of samples in a run is free.
 */
export function unshaped(inputs: readonly ValueSummary[], { kind, ownRuns }: SizeNeeds): ValueSummary[] {
  if (areArrays(kind) && ownRuns) return [];
  return inputs.filter(({ dims }) => dims === undefined || dims.some((dim) => dim === null));
}

/** A symbolic dimension whose size the user may give. */
export interface AskedSize {
  readonly symbol: string;
  /** Whether the run chooses the size if the user gives none. The sizes of images have to be given. */
  readonly isChosen: boolean;
}

/**
 * Returns the symbolic dimensions whose sizes the user may give, each once: the first axis, unless the work chooses it,
 * and the others, unless arrays have them.
 */
export function askedSizes(inputs: readonly ValueSummary[], { kind, ownRuns }: SizeNeeds): AskedSize[] {
  const isAsked = (axis: number) => (axis === 0 ? !ownRuns : !areArrays(kind));
  const isChosen = (axis: number) => axis === 0 || kind !== 'images';
  const asked = new Map<string, boolean>();
  for (const { dims = [] } of inputs) {
    for (const [axis, dim] of dims.entries()) {
      if (typeof dim === 'string' && isAsked(axis))
        asked.set(dim, (asked.get(dim) ?? true) && isChosen(axis));
    }
  }
  return [...asked].map(([symbol, isChosen]) => ({ symbol, isChosen }));
}

/** Returns the input for the worker; undefined if a field is invalid, or is empty and may not be. `ownRuns` is that of `SizeNeeds`. */
export function readFeed(
  feed: Feed,
  inputs: readonly ValueSummary[],
  ownRuns = false,
): ({ readonly input: InputChoice } & Pick<RunChoice, 'dims' | 'shapes'>) | undefined {
  const needs = { kind: feed.kind, ownRuns };
  const sizes = askedSizes(inputs, needs);
  const typed = (symbol: string) => typedSize(feed, symbol);
  const names = unshaped(inputs, needs).map(({ name }) => name);
  const wrong =
    sizes.some(({ symbol, isChosen }) => sizeProblem(typed(symbol), isChosen) !== undefined) ||
    names.some((name) => typedShape(feed, name) !== '' && shapeProblem(typedShape(feed, name)) !== undefined);
  const input = inputOf(feed);
  if (wrong || input === undefined) return undefined;
  const given = sizes.flatMap(({ symbol }) => (typed(symbol).trim() === '' ? [] : [symbol]));
  const shapes = names.filter((name) => typedShape(feed, name) !== '');
  return {
    input,
    dims: Object.fromEntries(given.map((symbol) => [symbol, Number(typed(symbol))])),
    shapes: Object.fromEntries(shapes.map((name) => [name, typedShape(feed, name).split(',').map(Number)])),
  };
}

function inputOf({
  kind,
  seed,
  runs,
  images,
  mean,
  std,
  npz,
  arrays,
  labels,
  ignoreLabel,
  scale,
  dataLayout,
}: Feed): InputChoice | undefined {
  if (kind === 'noise') return { kind, seed, runs };
  if (kind === 'bundled') return { kind };
  if (kind === 'npz') {
    const changes = readChanges({ scale, dataLayout });
    const ignored = ignoredLabel({ arrays, labels }, ignoreLabel);
    if (npz === null || arrays === undefined || changes === undefined || ignored === undefined)
      return undefined;
    return { kind, file: npz, labels: labels === '' ? null : labels, ...ignored, ...changes };
  }
  const [means, stds] = [triple(mean), triple(std)];
  if (images.length === 0 || means === undefined || stds === undefined) return undefined;
  return { kind, files: images, options: { mean: means, std: stds } };
}

/** Returns what is wrong with a typed factor; undefined for a valid one. */
export function scaleProblem(text: string): string | undefined {
  return readFactor(text) === undefined ? 'Give a number or a quotient, such as 1/255' : undefined;
}

/** Returns the changes of arrays for the worker; undefined if the factor is invalid. */
export function readChanges({
  scale,
  dataLayout,
}: Pick<Feed, 'scale' | 'dataLayout'>): ArrayChanges | undefined {
  const factor = readFactor(scale);
  if (factor === undefined) return undefined;
  return { ...(factor === 1 ? {} : { scale: factor }), ...(dataLayout === '' ? {} : { dataLayout }) };
}

/** Returns three typed numbers for red, green and blue; undefined if the text is invalid. */
export function triple(text: string): readonly [number, number, number] | undefined {
  const [red, green, blue] = rgb(text);
  if (rgbProblem(text) !== undefined || red === undefined || green === undefined || blue === undefined)
    return undefined;
  return [red, green, blue];
}
