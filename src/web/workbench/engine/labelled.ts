// Labelled samples in a page.
import { OnnxMishError, withDetails } from '../../../base/error.js';
import { sha256 } from '../../../base/sha256.js';
import { classNumbers } from '../../../data/class-folders.js';
import { imageSamples } from '../../../data/image-samples.js';
import { labelledArrays, splitArrays } from '../../../finetune/labelled-arrays.js';
import type { LabelledDataMaker } from '../../../finetune/options.js';
import type { Tensor } from '../../../providers/tensor.js';
import type { NamedFile } from '../protocol.js';
import type { LabelledInput } from '../room-protocol.js';
import { readBundled } from './bundled.js';
import { imageSource, readArrays } from './data.js';

/** Samples for training and, if they were given, for the test. */
export interface LabelledMakers {
  readonly data: LabelledDataMaker;
  readonly test: LabelledDataMaker | undefined;
}

/** Reads labelled samples. The functions throw `bad-data` for samples that do not fit the model. */
export async function labelledMakers(input: LabelledInput): Promise<LabelledMakers> {
  if (input.kind === 'bundled') return bundledMakers();
  if (input.kind === 'images') return { data: imageMaker(input), test: undefined };
  const { file, test } = input;
  return {
    data: await arrayMaker(file, input),
    test: test === null ? undefined : await arrayMaker(test, input),
  };
}

async function arrayMaker(
  file: NamedFile,
  { labels, scale, dataLayout }: LabelledInput & { readonly kind: 'npz' },
): Promise<LabelledDataMaker> {
  const arrays = await readArrays(file);
  const digest = await digestOf([file]);
  return (inputs) => {
    try {
      const { inputs: columns, targets } = splitArrays(arrays, { labels });
      return { ...labelledArrays(columns, targets, inputs, { scale, dataLayout }), name: file.name, digest };
    } catch (error) {
      if (!(error instanceof OnnxMishError) || error.where !== undefined) throw error;
      throw withDetails(error, { where: file.name });
    }
  };
}

function imageMaker({ files, mean, std }: LabelledInput & { readonly kind: 'images' }): LabelledDataMaker {
  return async (inputs) => {
    const folders = files.map(folderOf);
    const numbers = classNumbers(folders);
    if (numbers.size < 2) {
      throw new OnnxMishError('bad-data', 'the images are not in folders of classes', {
        fix: 'Drop or choose a folder with a subfolder for each class: cat/1.jpg, dog/2.png',
      });
    }
    const labels = folders.map((folder) => numbers.get(folder) ?? 0);
    const samples = imageSamples({ ...imageSource(files), labels }, inputs, { mean, std });
    return { source: 'images', samples, targets: labels, digest: await digestOf(files) };
  };
}

/** Returns the folder of an image, which is its class. */
function folderOf({ name }: NamedFile): string {
  return name.split('/').at(-2) ?? '';
}

/** Number of bundled samples for the test. */
const BUNDLED_TEST_SAMPLES = 200;

async function bundledMakers(): Promise<LabelledMakers> {
  const { images, labels } = await readBundled();
  const maker =
    (from: number, to: number): LabelledDataMaker =>
    (inputs) => {
      const [name = ''] = inputs.map((input) => input.name);
      const x: Tensor = {
        elemType: 'f32',
        dims: [to - from, 1, images.size, images.size],
        data: images.data.subarray(from * images.size ** 2, to * images.size ** 2),
      };
      return { ...labelledArrays({ [name]: x }, labels.slice(from, to), inputs), digest: `bundled ${from}` };
    };
  const split = labels.length - BUNDLED_TEST_SAMPLES;
  return { data: maker(0, split), test: maker(split, labels.length) };
}

/** Returns a digest of names, sizes and times: a page would have to read all files for their contents. */
function digestOf(files: readonly NamedFile[]): Promise<string> {
  const timeOf = (blob: Blob) => (blob instanceof File ? blob.lastModified : 0);
  return sha256(JSON.stringify(files.map(({ name, blob }) => [name, blob.size, timeOf(blob)])));
}
