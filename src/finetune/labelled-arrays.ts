import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import { classesOfPlaces, labelClasses, oneHotNote } from '../data/label-classes.js';
import type { SampleOptions } from '../data/prepare-samples.js';
import { arraySamples } from '../data/samples.js';
import type { ValueInfo } from '../providers/provider.js';
import { elementCount, type Tensor, toNumbers } from '../providers/tensor.js';
import type { Targets } from '../train/targets.js';
import type { LabelledData } from './options.js';

/**
 * Returns arrays as labelled samples for a model's inputs. The first axis of every array counts samples. Options scale and
 * transpose them. Throws `bad-data` for arrays that do not fit the inputs, and for NaN.
 *
 * @example
 * import { labelledArrays } from 'onnx-mish/finetune';
 * import { getProvider } from 'onnx-mish/node';
 *
 * const { inputs } = await getProvider('cpu').open('model.onnx');
 * const x = { elemType: 'f32', dims: [256, 3], data: new Float32Array(256 * 3) };
 * const { samples } = labelledArrays({ x }, new Uint8Array(256), inputs);
 * console.log(samples.count); // 256
 */
export function labelledArrays(
  arrays: Readonly<Record<string, Tensor>>,
  targets: Targets,
  inputs: readonly ValueInfo[],
  options: SampleOptions = {},
): LabelledData {
  const sampled = inputs.map(({ name, elemType, dims }) => ({
    name,
    elemType,
    // Empty dims mean a scalar or an unknown rank; with an unknown rank the samples decide.
    inner:
      dims.length === 0
        ? undefined
        : dims.slice(1).map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : null)),
  }));
  return { source: 'npz', samples: arraySamples(arrays, sampled, options), targets };
}

/** Names of the arrays with class numbers or with other targets; one of them is given. */
export interface TargetNames {
  readonly labels?: string | undefined;
  readonly targets?: string | undefined;
}

/**
 * Returns the inputs and the targets among named arrays, and notes about the targets. Throws `bad-data` for a missing array
 * and for labels that are not class numbers.
 */
export function splitArrays(
  arrays: Readonly<Record<string, Tensor>>,
  { labels, targets }: TargetNames,
): { inputs: Record<string, Tensor>; targets: Targets; notes: readonly string[] } {
  const name = labels ?? targets ?? '';
  const array = ownProperty(arrays, name);
  if (array === undefined) {
    throw bad(
      `the array '${name}' for the ${labels === undefined ? 'targets' : 'labels'} is missing`,
      `Name one of the arrays: ${Object.keys(arrays).join(', ')}`,
    );
  }
  const inputs = Object.fromEntries(Object.entries(arrays).filter(([key]) => key !== name));
  if (labels === undefined) return { inputs, targets: array, notes: [] };
  const [, ...inner] = array.dims;
  if (elementCount(inner) === 1) return { inputs, targets: classNumbers(name, array), notes: [] };
  if (classesOfPlaces(array) !== undefined) return { inputs, targets: array, notes: [] };
  const { numbers, oneHot } = labelClasses(array, name);
  return { inputs, targets: numbers, notes: oneHot ? [oneHotNote(name)] : [] };
}

function classNumbers(name: string, array: Tensor): ArrayLike<number> {
  const numbers = toNumbers(array);
  if (numbers === undefined || array.dims.length === 0) return labelClasses(array, name).numbers; // throws
  const what = `the labels '${name}' are ${array.elemType} [${array.dims}]`;
  const sample = Array.prototype.findIndex.call(numbers, (label: number) => !Number.isInteger(label));
  if (sample < 0) return numbers;
  throw bad(
    `${what}, and the label of sample ${sample} is ${numbers[sample]}`,
    'Give class numbers from 0, or name other targets as such',
  );
}

function bad(what: string, fix: string): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix });
}
