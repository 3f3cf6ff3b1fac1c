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
/**
 * Sizes of free dimensions that nobody gave, by attempt: of images in pixels, of the first input, and of later inputs, whose free
 * dimensions may count samples. Networks want images that halve five times, and windows of sound or text of some hundred values.
 */
const SIZES = [
  { batch: 1, image: 224, first: 1, later: 1 },
  { batch: 1, image: 256, first: 16, later: 16 },
  { batch: 1, image: 640, first: 16, later: 1 },
  { batch: 1, image: 48, first: 64, later: 64 },
  { batch: 1, image: 32, first: 64, later: 1 },
  { batch: 1, image: 224, first: 256, later: 256 },
  { batch: 1, image: 224, first: 256, later: 1 },
  { batch: 1, image: 224, first: 512, later: 512 },
  { batch: 1, image: 224, first: 512, later: 1 },
] as const;
/** Kind of a free dimension: samples of a run, pixels of an image, or elements of the first or of a later input. */
type Role = keyof (typeof SIZES)[number];
/** Maximum number of channels of an image. */
const MAX_CHANNELS = 4;

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

const isSymbol = (dim: string | number | undefined): dim is string => typeof dim === 'string' && dim !== '';
const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');

/** Shapes without free dimensions, and a note about the default sizes. */
export interface SettledShapes {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly notes: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions: Readonly<Record<string, OptionHint>>;
  /** Whether the next attempt has other sizes. */
  readonly hasNext: boolean;
}

/**
 * Chooses a size for every free dimension: the given size, or the size from another input's shape with the same symbol, or a
 * default. That is 1 for the samples of a run, 224 for the height and the width of images, and 1 for others; the attempts
 * after 0 have others, for models that do not run with these. Throws what `checkShapes` and `resolveShape` throw.
 */
export function settleShapes(
  inputs: readonly ValueInfo[],
  options: ShapeOptions,
  attempt = 0,
): SettledShapes {
  checkShapes(inputs, options);
  const dims = withSizesOf(inputs, options);
  const roleOf = rolesIn(inputs);
  const sizes = SIZES[attempt] ?? SIZES[0];
  const taken = new Map<number, Set<string>>();
  let isSizeTaken = false;
  const shapeOf = (input: ValueInfo) =>
    input.dims.map((dim, axis) => {
      const size = typeof dim === 'number' && dim >= 0 ? dim : sizeOf(dim, dims);
      if (size !== undefined) return size;
      const role = roleOf(input, axis);
      const label = isSymbol(dim) ? `'${dim}'` : `dimension ${axis} of '${input.name}'`;
      taken.set(sizes[role], (taken.get(sizes[role]) ?? new Set()).add(label));
      isSizeTaken ||= role !== 'batch';
      return sizes[role];
    });
  const shapes = Object.fromEntries(
    inputs.map((input) => {
      const given = ownProperty(options.shapes, input.name);
      return [input.name, given === undefined ? shapeOf(input) : resolveShape(input, options)];
    }),
  );
  const empty = inputs.filter(({ name }) => ownProperty(shapes, name)?.includes(0));
  const list = [...taken].map(([size, labels]) => `as ${size}: ${[...labels].join(', ')}`).join('; ');
  const note = `free dimensions without a size are taken ${list}`;
  return {
    shapes,
    notes: [
      ...(taken.size === 0 ? [] : [note]),
      ...(empty.length === 0
        ? []
        : [`empty inputs do not test the model: ${quoted(empty.map(({ name }) => name))}`]),
    ],
    noteOptions: taken.size === 0 ? {} : { [note]: { dims: null } },
    hasNext: isSizeTaken && attempt + 1 < SIZES.length,
  };
}

/** Returns the given sizes of symbols, and those of given shapes. */
function withSizesOf(
  inputs: readonly ValueInfo[],
  { shapes, dims = {} }: ShapeOptions,
): Record<string, number> {
  const sizes = new Map(Object.entries(dims));
  for (const { name, dims: model } of inputs) {
    const given = ownProperty(shapes, name);
    model.forEach((dim, axis) => {
      const size = given?.[axis];
      if (isSymbol(dim) && size !== undefined && !sizes.has(dim)) sizes.set(dim, size);
    });
  }
  return Object.fromEntries(sizes);
}

/** Returns a function that tells what a free dimension of an input counts. A symbol counts the same in all inputs. */
function rolesIn(inputs: readonly ValueInfo[]): (input: ValueInfo, axis: number) => Role {
  // The first dimension of a vector may count its values.
  const hasSamples = ({ dims }: ValueInfo) => dims.length > 1;
  const batches = new Set(inputs.filter(hasSamples).flatMap(({ dims: [symbol] }) => symbol ?? []));
  const images = new Set(inputs.flatMap((input) => imageAxes(input).map((axis) => input.dims[axis])));
  const [first] = inputs;
  return (input, axis) => {
    const dim = input.dims[axis];
    if ((axis === 0 && hasSamples(input)) || (isSymbol(dim) && batches.has(dim))) return 'batch';
    if (imageAxes(input).includes(axis) || (isSymbol(dim) && images.has(dim))) return 'image';
    return input === first || (isSymbol(dim) && first?.dims.includes(dim)) ? 'first' : 'later';
  };
}

/** Returns the axes of height and width, if an input looks like images: NCHW or NHWC, with a fixed number of channels. */
function imageAxes({ dims, elemType }: ValueInfo): readonly number[] {
  if (dims.length !== 4 || !/^(f|bf|u8)/.test(elemType)) return [];
  const isChannels = (dim: string | number | undefined) =>
    typeof dim === 'number' && dim > 0 && dim <= MAX_CHANNELS;
  if (isChannels(dims[1])) return [2, 3];
  return isChannels(dims[3]) ? [1, 2] : [];
}
