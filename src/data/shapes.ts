import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import type { ValueInfo } from '../providers/provider.js';

export interface ShapeOptions {
  /** Whole shapes, by input name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Sizes of symbolic dimensions, by symbol; `*` is for all symbols without a size. */
  readonly dims?: Readonly<Record<string, number>> | undefined;
}

/** Symbol for every free dimension without a size. */
export const ANY = '*';
/** Size of a free dimension unless given. */
const DEFAULT_SIZE = 1;

/**
 * Returns the shape of an input's feed. Throws `bad-data`, with the option to set, for a free dimension without a
 * size. ONNX Runtime reports empty dims for a scalar and for an unknown rank: such an input accepts any shape, and
 * without one it is a scalar.
 */
export function resolveShape(input: ValueInfo, { shapes, dims }: ShapeOptions): number[] {
  const given = ownProperty(shapes, input.name);
  const model = input.dims;
  if (given !== undefined) {
    const fits =
      given.length === model.length &&
      given.every(
        (dim, axis) => typeof model[axis] === 'string' || model[axis] === dim || Number(model[axis]) < 0,
      );
    if (fits || model.length === 0) return [...given];
    throw new OnnxMishError(
      'bad-data',
      `the shape [${given}] does not fit input '${input.name}', which is [${model}]`,
      { fix: 'Correct the shape', option: { shapes: null } },
    );
  }
  return model.map((dim, axis) => {
    if (typeof dim === 'number' && dim >= 0) return dim;
    const size = sizeOf(dim, dims);
    if (size !== undefined) return size;
    const named = typeof dim === 'string' && dim !== '';
    const example = model.map((other) => (typeof other === 'number' && other >= 0 ? other : 1));
    throw new OnnxMishError(
      'bad-data',
      `dimension ${axis}${named ? ` ('${dim}')` : ''} of input '${input.name}' is free`,
      {
        fix: named ? 'Give its size, or the whole shape' : 'Give the whole shape',
        option: { ...(named ? { dims: { [dim]: 1 } } : {}), shapes: { [input.name]: example } },
      },
    );
  });
}

/** Returns the size given for a free dimension, by its symbol or by `*`. */
export function sizeOf(dim: string | number | undefined, dims: ShapeOptions['dims']): number | undefined {
  const named = typeof dim === 'string' && dim !== '' ? ownProperty(dims, dim) : undefined;
  return named ?? ownProperty(dims, ANY);
}

/** Throws `bad-usage` for shapes or sizes that name an unknown input or symbol. */
export function checkShapes(inputs: readonly ValueInfo[], { shapes = {}, dims = {} }: ShapeOptions): void {
  const names = inputs.map(({ name }) => name);
  const symbols = [...new Set(inputs.flatMap((input) => input.dims.filter(isSymbol)))];
  const input = Object.keys(shapes).find((name) => !names.includes(name));
  if (input !== undefined) {
    throw new OnnxMishError('bad-usage', `the model has no input '${input}' to give a shape`, {
      fix: `Name one of its inputs: ${quoted(names)}`,
      option: { shapes: null },
    });
  }
  const symbol = Object.keys(dims).find((name) => name !== ANY && !symbols.includes(name));
  if (symbol === undefined) return;
  throw new OnnxMishError('bad-usage', `no input of the model has a symbolic dimension '${symbol}'`, {
    fix:
      symbols.length === 0
        ? 'Leave out the size: its inputs have no symbolic dimension'
        : `Name one of its symbolic dimensions: ${quoted(symbols)}`,
    option: { dims: null },
  });
}

const isSymbol = (dim: string | number): dim is string => typeof dim === 'string' && dim !== '';
const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');

/** Shapes without free dimensions, and a note about the default sizes. */
export interface SettledShapes {
  readonly dims: Readonly<Record<string, number>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly notes: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions: Readonly<Record<string, OptionHint>>;
}

/**
 * Chooses a size for every free dimension: the given size, or the size from another input's shape with the same
 * symbol, or 1. Throws what `checkShapes` throws.
 */
export function settleShapes(inputs: readonly ValueInfo[], options: ShapeOptions): SettledShapes {
  checkShapes(inputs, options);
  const { shapes = {}, dims = {} } = options;
  const sizes = new Map(Object.entries(dims));
  for (const { name, dims: model } of inputs) {
    const given = ownProperty(shapes, name);
    model.forEach((dim, axis) => {
      const size = given?.[axis];
      if (isSymbol(dim) && size !== undefined && !sizes.has(dim)) sizes.set(dim, size);
    });
  }
  const taken = new Set<string>();
  const rest = sizes.get(ANY) ?? DEFAULT_SIZE;
  for (const { name, dims: model } of inputs) {
    if (ownProperty(shapes, name) !== undefined) continue;
    model.forEach((dim, axis) => {
      if (typeof dim === 'number' && dim >= 0) return;
      if (!isSymbol(dim)) taken.add(`dimension ${axis} of '${name}'`);
      else if (!sizes.has(dim)) taken.add(`'${dim}'`);
    });
  }
  const settled = { dims: Object.fromEntries([...sizes, [ANY, rest]]), shapes };
  const empty = inputs.filter((input) => resolveShape(input, settled).includes(0));
  const notes = [
    ...(taken.size === 0 || sizes.has(ANY)
      ? []
      : [`free dimensions without a size are taken as ${rest}: ${[...taken].join(', ')}`]),
    ...(empty.length === 0
      ? []
      : [`empty inputs do not test the model: ${quoted(empty.map(({ name }) => name))}`]),
  ];
  const noteOptions = taken.size === 0 || sizes.has(ANY) ? {} : { [notes[0] ?? '']: { dims: null } };
  return { ...settled, notes, noteOptions };
}
