import { OnnxMishError } from '../base/error.js';
import { lazyArray } from '../base/lazy-array.js';
import { ownProperty } from '../base/own.js';
import { integer, plural } from '../base/plural.js';
import type { TensorData } from '../onnx/tensor-data.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type Tensors } from '../providers/tensor.js';
import { convert } from './convert.js';
import type { Dataset } from './dataset.js';
import { type Classes, classesOfPlaces, labelClasses, oneHotNote } from './label-classes.js';
import { DEFAULT_IGNORED_LABEL } from './labels.js';
import { arrayOf, checkLayout, fits, preparedSamples, type SampleOptions } from './prepare-samples.js';
import { checkShapes, resolveShape, type ShapeOptions, sizeOf } from './shapes.js';

/**
 * Cuts arrays into feeds. The first axis of every array counts samples. An input takes as many samples per run as its
 * first dimension says. If that is free, `dims` or `shapes` give the number, else it is one. Samples that do not fill
 * the last run are dropped. A scalar input takes one element per run. An array with the shape of one whole feed (a
 * sampling rate, an initial state) goes into every run. Arrays go to the input with their name; a single array goes
 * to a single input. `labels` is the name of the array of classes, one per sample or one for each of its places. Throws `bad-data` if arrays and
 * inputs do not fit.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { sampledFeeds } from 'onnx-mish/validate';
 *
 * const { inputs } = await getProvider('cpu').open('model.onnx');
 * const x = { elemType: 'f32', dims: [256, 3], data: new Float32Array(256 * 3) };
 * console.log(sampledFeeds({ x }, inputs, {}).feeds.length);
 */
export function sampledFeeds(
  arrays: Readonly<Record<string, Tensor>>,
  inputs: readonly ValueInfo[],
  options: ShapeOptions &
    SampleOptions & {
      readonly labels?: string | undefined;
      /** Label that does not count; default -100. */
      readonly ignoreLabel?: number | undefined;
    },
): Dataset {
  const { labels } = options;
  checkShapes(inputs, options);
  const names = Object.keys(arrays).filter((name) => name !== labels);
  const pick = (input: ValueInfo): Tensor =>
    preparedSamples(input, arrayOf(arrays, names, input, inputs.length), options, inputs.length);
  const cuts = inputs.map((input) => cut(input, pick(input), options));
  const runs = Math.max(0, ...cuts.map((one) => one.runs));
  const leading = leadingOf(
    cuts.filter((one) => one.runs === runs),
    ownProperty(arrays, labels ?? '')?.dims[0],
  );
  if (leading === undefined || runs === 0) {
    throw new OnnxMishError('bad-data', 'there are too few samples for one run', {
      fix: 'Give at least as many as the model’s batch dimension',
    });
  }
  for (const { runs: few, whole, name } of cuts) {
    if (few === runs || whole) continue;
    throw new OnnxMishError(
      'bad-data',
      `input '${name}' has samples for ${plural(few, 'run')}, but '${leading.name}' for ${integer(runs)}`,
      { fix: 'Give the same number of samples for each input' },
    );
  }
  // Each run is cut on access, because a small archive may hold millions of runs.
  const feeds = lazyArray(runs, (run) =>
    Object.fromEntries(cuts.map(({ name, at, whole }) => [name, at(whole ? 0 : run)])),
  );
  void feeds[0]; // throws for samples of a wrong type
  const samples = runs * leading.batch;
  const notes = leading.count > samples ? [leftOutNote(leading, samples)] : [];
  if (labels === undefined) return { source: 'npz', feeds, samples, notes };
  const { ignoreLabel: ignore = DEFAULT_IGNORED_LABEL } = options;
  const places = placeClasses(arrays, labels, leading);
  if (places !== undefined) {
    const { values, dims } = places;
    return {
      source: 'npz',
      feeds,
      samples,
      notes,
      placeLabels: { dims, ignore, values: firstOf(values, samples * elementCount(dims)) },
    };
  }
  const { numbers, oneHot } = classes(arrays, labels, leading);
  if (!oneHot && numbers.includes(ignore))
    return {
      source: 'npz',
      feeds,
      samples,
      notes,
      placeLabels: { dims: [], ignore, values: numbers.slice(0, samples) },
    };
  if (oneHot) notes.push(oneHotNote(labels));
  return { source: 'npz', feeds, samples, notes, labels: numbers.slice(0, samples) };
}

/**
 * Returns the input that counts the samples: one with as many as there are labels, or else the first with more than a vector. In a
 * single run, an input such as a sampling rate may be as long as its first axis, too.
 */
function leadingOf(cuts: readonly Cut[], labels: number | undefined): Cut | undefined {
  return cuts.find(({ count }) => count === labels) ?? cuts.find(({ rank }) => rank > 1) ?? cuts[0];
}

function leftOutNote({ name, count, batch }: Cut, samples: number): string {
  const left = count - samples;
  return `${integer(left)} of ${plural(count, 'sample')} of '${name}' ${left === 1 ? 'is' : 'are'} left out: the last run of ${batch} is not full`;
}

/** The samples of one input, cut into runs. */
interface Cut {
  readonly name: string;
  /** Number of samples in the array; `batch` is the number per run. */
  readonly count: number;
  readonly rank: number;
  readonly batch: number;
  readonly runs: number;
  /** Whether the array is one whole feed, which is repeated if other inputs have more runs. */
  readonly whole: boolean;
  readonly at: (run: number) => Tensor;
}

/** Cuts the samples of one input into runs of its batch size, converted to its type. */
function cut(input: ValueInfo, array: Tensor, options: ShapeOptions): Cut {
  const { name, elemType } = input;
  const [count = 1, ...inner] = array.dims;
  const given = ownProperty(options.shapes, name);
  // Empty dims mean a scalar or an unknown rank; with an unknown rank the samples decide.
  const scalar = input.dims.length === 0 && given === undefined && inner.length === 0;
  const batch = scalar ? 1 : batchSize(input, given, options);
  const dims = scalar ? [] : [batch, ...inner];
  if (input.dims.length > 0 && dims.length !== input.dims.length) {
    throw new OnnxMishError(
      'bad-data',
      `the samples for input '${name}' have shape [${array.dims}], but the input has [${input.dims}]`,
      { fix: rankAdvice(input, inner) },
    );
  }
  if (given === undefined) {
    checkLayout(input, array.dims);
    checkSizes(input, array.dims);
  }
  resolveShape(input, { shapes: { [name]: dims } }); // throws if the shape does not fit
  const length = elementCount(dims);
  const runs = Math.floor(count / Math.max(1, batch));
  const part = (run: number) => [run * length, (run + 1) * length] as const;
  return {
    name,
    count,
    rank: array.dims.length,
    batch,
    runs,
    whole: runs === 1 && count === batch,
    at: (run) => {
      const [from, to] = part(run);
      const { data } = array;
      // A view if possible, because samples are large.
      const some = 'subarray' in data ? data.subarray(from, to) : data.slice(from, to);
      return { elemType, dims, data: convert({ ...array, data: some }, elemType, name, from) };
    },
  };
}

/** Returns advice for samples with another number of axes than the input. */
function rankAdvice({ dims }: ValueInfo, inner: readonly number[]): string {
  const wanted = dims.slice(1);
  const others = wanted.filter((dim) => dim !== 1);
  const lacksOnes =
    others.length < wanted.length && others.join() === inner.filter((dim) => dim !== 1).join();
  const reshape = `x.reshape(-1, ${wanted.join(', ')})`;
  if (lacksOnes) return `Insert the axis of length 1: ${reshape}`;
  const isFlat =
    inner.length === 1 && elementCount(inner) === wanted.reduce<number>((all, dim) => all * Number(dim), 1);
  return isFlat
    ? `Give each sample its axes again: ${reshape}`
    : 'Make the first axis count samples, and the others equal the input’s';
}

/** Throws `bad-data` for samples whose sizes are not those of the model, where it has numbers. */
function checkSizes(input: ValueInfo, shape: readonly number[]): void {
  const { name, dims } = input;
  if (dims.length === 0 || fits(dims, shape)) return;
  const areImages = dims.length === 4;
  const [, channels] = dims;
  const others = [dims[0] ?? '', shape[1] ?? '', ...dims.slice(2)];
  const image = fits(others, shape)
    ? `Give samples of ${plural(Number(channels), 'channel')}, or the image files, which are converted`
    : 'Resize the samples, or give the image files, which are resized';
  throw new OnnxMishError(
    'bad-data',
    `the shape [${shape}] of the samples does not fit input '${name}', which is [${dims}]`,
    areImages
      ? { fix: image, option: { images: null } }
      : { fix: 'Make the first axis count samples, and the others equal the input’s' },
  );
}

function batchSize(input: ValueInfo, given: readonly number[] | undefined, { dims }: ShapeOptions): number {
  const [dim] = input.dims;
  if (given !== undefined) return given[0] ?? 1;
  return typeof dim === 'number' && dim >= 0 ? dim : dim === undefined ? 1 : (sizeOf(dim, dims) ?? 1);
}

/** Returns the class of each place of each sample; undefined for other labels. Throws `bad-data` for another number of samples. */
function placeClasses(
  arrays: Readonly<Record<string, Tensor>>,
  name: string,
  { count, name: input }: Cut,
): { readonly values: ArrayLike<number>; readonly dims: readonly number[] } | undefined {
  const array = ownProperty(arrays, name);
  const values = array && classesOfPlaces(array);
  if (values === undefined) return undefined;
  const [samples, ...dims] = array?.dims ?? [];
  if (samples === count) return { values, dims };
  throw new OnnxMishError(
    'bad-data',
    `'${name}' [${array?.dims}] has labels of ${plural(samples ?? 0, 'sample')} for ${plural(count, 'sample')} of '${input}'`,
    { fix: 'Give the labels of each sample' },
  );
}

/** Returns the first elements, as a view if possible. */
const firstOf = (values: ArrayLike<number>, count: number): ArrayLike<number> =>
  values.length === count
    ? values
    : ArrayBuffer.isView(values)
      ? (values as Float32Array).subarray(0, count)
      : Array.from({ length: count }, (_, at) => values[at] ?? 0);

/** Returns the class of each sample. */
function classes(
  arrays: Readonly<Record<string, Tensor>>,
  name: string,
  { count, name: input }: Cut,
): Classes {
  const array = ownProperty(arrays, name);
  const bad = (what: string, fix: string) => new OnnxMishError('bad-data', what, { fix });
  if (array === undefined) {
    throw bad(
      `the array '${name}' for the labels is missing`,
      `The arrays are ${Object.keys(arrays).join(', ')}`,
    );
  }
  const found = labelClasses(array, name);
  if (found.numbers.length === count) return found;
  throw bad(
    `'${name}' has ${plural(found.numbers.length, 'label')} for ${plural(count, 'sample')} of '${input}'`,
    'Give one label for each sample',
  );
}

/** A tensor of an ONNX test case and its name. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Converts the bytes of a test case to a typed array. Throws `bad-data` if they do not fit the shape. */
export function namedTensor({ name, elemType, dims, data }: TensorData): NamedTensor {
  if (!(data instanceof Uint8Array)) return { name, tensor: { elemType, dims, data } };
  const count = elementCount(dims);
  // Check the length first: a wrong shape must not allocate memory.
  const sound =
    dims.every((dim) => dim >= 0) && count * (arrayFor(elemType, 0)?.BYTES_PER_ELEMENT ?? 0) === data.length;
  const array = sound ? arrayFor(elemType, count) : undefined;
  if (array === undefined) {
    throw new OnnxMishError(
      'bad-data',
      `tensor '${name}' (${elemType} [${dims}]) holds ${plural(data.length, 'byte')}`,
      {
        fix: 'Check the file: the data does not fit the shape',
      },
    );
  }
  new Uint8Array(array.buffer).set(data);
  return { name, tensor: { elemType, dims, data: array } };
}

/**
 * Returns the feeds of ONNX test cases. Tensors go to inputs by name if every tensor has the name of an input,
 * otherwise by order. Throws `bad-data` for an input without a tensor.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { testCaseFeeds } from 'onnx-mish/validate';
 *
 * const { inputs, outputs } = await getProvider('cpu').open('model.onnx');
 * const tensor = { elemType: 'f32', dims: [1, 3], data: new Float32Array(3) };
 * testCaseFeeds([{ inputs: [{ name: 'x', tensor }], outputs: [] }], inputs, outputs);
 */
export function testCaseFeeds(
  cases: readonly { readonly inputs: readonly NamedTensor[]; readonly outputs: readonly NamedTensor[] }[],
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
): Dataset {
  const assign = (values: readonly ValueInfo[], tensors: readonly NamedTensor[]): Tensors => {
    const named = tensors.every((one) => values.some(({ name }) => name === one.name));
    return Object.fromEntries(
      values.flatMap(({ name }, index) => {
        const found = named ? tensors.find((one) => one.name === name) : tensors[index];
        return found === undefined ? [] : [[name, found.tensor]];
      }),
    );
  };
  const feeds = cases.map((test) => assign(inputs, test.inputs));
  for (const [index, feed] of feeds.entries()) {
    const missing = inputs.find(({ name }) => ownProperty(feed, name) === undefined);
    if (missing === undefined) continue;
    throw new OnnxMishError('bad-data', `test case ${index} has no tensor for input '${missing.name}'`, {
      fix: 'Give an input_N.pb for each input of the model',
    });
  }
  const known = cases.some((test) => test.outputs.length > 0);
  return {
    source: 'onnx-test',
    feeds,
    ...(known ? { expected: cases.map((test) => assign(outputs, test.outputs)) } : {}),
  };
}
