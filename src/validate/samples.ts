import { OnnxMishError } from '../onnx/error.js';
import { toHalf } from '../onnx/scalar.js';
import { arrayFor, elementCount, type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import type { ValueInfo } from '../providers/types.js';
import { type Dataset, resolveShape, type ShapeOptions } from './feeds.js';

/**
 * Cuts arrays into feeds. The first axis of every array counts samples; an input whose first dimension is
 * a number takes that many a run, one that is free takes what `dims` or `shapes` say, or one. Arrays go to
 * the input of their name; a single array goes to a single input. `labels` names the array of classes.
 * Throws `bad-data` where arrays and inputs do not fit.
 */
export function sampledFeeds(
  arrays: Readonly<Record<string, Tensor>>,
  inputs: readonly ValueInfo[],
  options: ShapeOptions & { readonly labels?: string | undefined },
): Dataset {
  const { labels } = options;
  if (labels !== undefined && arrays[labels] === undefined) {
    throw new OnnxMishError('bad-data', `there is no array '${labels}' for the labels`, {
      fix: `The arrays are ${Object.keys(arrays).join(', ')}`,
    });
  }
  const names = Object.keys(arrays).filter((name) => name !== labels);
  const pick = (input: ValueInfo): Tensor => {
    const [only] = names;
    const array =
      arrays[input.name] ?? (inputs.length === 1 && names.length === 1 ? arrays[only ?? ''] : undefined);
    if (array !== undefined) return array;
    throw new OnnxMishError('bad-data', `there is no array for input '${input.name}'`, {
      fix: `Name one after it; the arrays are ${names.join(', ')}`,
    });
  };
  const batches = inputs.map((input) => cut(input, pick(input), options));
  const runs = Math.min(...batches.map((list) => list.length));
  if (!(runs > 0) || !Number.isFinite(runs)) {
    throw new OnnxMishError('bad-data', 'there are not enough samples for one run', {
      fix: 'Give at least as many as the model’s batch dimension',
    });
  }
  const feeds = Array.from({ length: runs }, (_, run) =>
    Object.fromEntries(inputs.map((input, index) => [input.name, batches[index]?.[run] as Tensor])),
  );
  const classes = labels === undefined ? undefined : Array.from(toNumbers(arrays[labels] as Tensor) ?? []);
  return { source: 'npz', feeds, ...(classes === undefined ? {} : { labels: classes }) };
}

/** The feeds of one input: consecutive samples in its batch size, converted to its type. */
function cut(input: ValueInfo, array: Tensor, options: ShapeOptions): Tensor[] {
  const [batchDim] = input.dims;
  const free = typeof batchDim === 'string' || Number(batchDim) < 0;
  const named = typeof batchDim === 'string' ? options.dims?.[batchDim] : undefined;
  const batch = options.shapes?.[input.name]?.[0] ?? named ?? (free ? 1 : Number(batchDim ?? 1));
  const inner = array.dims.slice(1);
  const dims = [batch, ...inner];
  const converted = convert(array, input);
  if (dims.length !== input.dims.length) {
    throw new OnnxMishError(
      'bad-data',
      `the samples for input '${input.name}' have shape [${array.dims}], and the input is [${input.dims}]`,
      { fix: 'The first axis counts samples, the others are the input’s own' },
    );
  }
  resolveShape(input, { shapes: { [input.name]: dims } }); // refuses what does not fit
  const length = elementCount(dims);
  const runs = Math.floor((array.dims[0] ?? 0) / batch);
  return Array.from({ length: runs }, (_, run) => ({
    elemType: input.elemType,
    dims,
    data: converted.slice(run * length, (run + 1) * length),
  }));
}

/** NumPy makes float64 and int64 unless told otherwise: numbers go into the type the model takes. */
function convert(array: Tensor, { name, elemType }: ValueInfo) {
  const { data } = array;
  if (array.elemType === elemType && ArrayBuffer.isView(data)) return data;
  const out = arrayFor(elemType, elementCount(array.dims));
  const numbers = toNumbers(array);
  if (out === undefined || numbers === undefined) {
    throw new OnnxMishError(
      'bad-data',
      `input '${name}' is ${elemType}, and its samples are ${array.elemType}`,
      {
        fix: 'Save the samples in a numeric type',
      },
    );
  }
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index] ?? 0;
    if (out instanceof BigInt64Array || out instanceof BigUint64Array) out[index] = BigInt(Math.round(value));
    else out[index] = elemType === 'f16' ? toHalf(value) : value;
  }
  return out;
}

/** A tensor of an ONNX test case with its name, from onnx/tensor-data.ts. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** The feeds of an ONNX test case: inputs in order, matched by name where names are given. */
export function testCaseFeeds(
  cases: readonly { readonly inputs: readonly NamedTensor[]; readonly outputs: readonly NamedTensor[] }[],
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
): Dataset {
  const assign = (values: readonly ValueInfo[], tensors: readonly NamedTensor[]): Tensors =>
    Object.fromEntries(
      values.flatMap((value, index) => {
        const found = tensors.find(({ name }) => name === value.name) ?? tensors[index];
        return found === undefined ? [] : [[value.name, found.tensor]];
      }),
    );
  return {
    source: 'onnx-test',
    feeds: cases.map((test) => assign(inputs, test.inputs)),
    expected: cases.map((test) => assign(outputs, test.outputs)),
  };
}
