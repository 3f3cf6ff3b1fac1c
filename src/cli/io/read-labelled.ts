// Labelled samples, from the options of `finetune` and `experiment`.
import { OnnxMishError, withDetails } from '../../base/error.js';
import { sha256 } from '../../base/sha256.js';
import { evenly, type Layout } from '../../data/images.js';
import { parseArrays } from '../../data/parse-arrays.js';
import { dataDigest } from '../../finetune/digest.js';
import { labelledArrays, splitArrays } from '../../finetune/labelled-arrays.js';
import type { LabelledData, LabelledDataMaker } from '../../finetune/options.js';
import { partOf } from '../../finetune/split-data.js';
import { readSamples } from '../../node/read-samples.js';
import { checkImageFlags, type ImageFlags } from '../options/image-options.js';
import { labelledImages } from './labelled-images.js';
import { checkArrayFlags, onceEach } from './read-data.js';

/** Options with the labelled samples. */
export interface LabelledFlags extends ImageFlags {
  data?: string;
  labels?: string;
  targets?: string;
  test?: string;
  scale?: number;
  dataLayout?: Layout;
  samples?: number;
}

/** Throws `bad-usage` unless the flags name samples and their targets. */
export function checkLabelledFlags(flags: LabelledFlags, command: string): void {
  const { data, images, labels, targets } = flags;
  const bad = (what: string, fix: string) => new OnnxMishError('bad-usage', what, { fix });
  if (data === undefined && images === undefined) {
    throw bad(
      `${command} needs labelled samples`,
      'Give them with --data train.npz --labels y, or --images folder',
    );
  }
  if (images !== undefined && (labels !== undefined || targets !== undefined))
    throw bad('the folders of --images are the labels', 'Leave out --labels and --targets');
  checkArrayFlags(flags);
  checkImageFlags(flags);
  if (labels !== undefined && targets !== undefined)
    throw bad('--labels and --targets both name the targets', 'Leave out one of them');
  if (images === undefined && labels === undefined && targets === undefined) {
    throw bad(
      'the samples have no labels',
      'Name the array of classes with --labels, or other targets with --targets',
    );
  }
}

/**
 * Returns functions that read the samples of `--data` or `--images`, and those of `--test`. `note` receives each note about the
 * samples once. The functions throw `io`, `bad-data` and `bad-usage`.
 */
export function readLabelled(
  flags: LabelledFlags,
  signal: AbortSignal,
  note: (text: string) => void = () => {},
): { data: LabelledDataMaker; test: LabelledDataMaker | undefined } {
  const { data, images, test } = flags;
  const limit = flags.limit ?? flags.samples;
  const noteOnce = onceEach(note);
  const read = (path: string) =>
    images === undefined
      ? arraysOf(path, flags, { signal, note: noteOnce })
      : labelledImages({ ...flags, images: path, limit, classesOf: images }, signal);
  return { data: read(images ?? data ?? ''), test: test === undefined ? undefined : read(test) };
}

function arraysOf(
  path: string,
  flags: LabelledFlags,
  { signal, note }: { signal: AbortSignal; note: (text: string) => void },
): LabelledDataMaker {
  return async (inputs) => {
    const found = await readSamples(path, signal);
    if (found.kind === 'cases') {
      throw new OnnxMishError('bad-data', 'a folder of test cases has no labels', {
        where: path,
        fix: 'Give an .npz with the inputs and the labels',
      });
    }
    const arrays = await parseArrays(found.files, signal);
    try {
      const { inputs: columns, targets, notes } = splitArrays(arrays, flags);
      notes.forEach(note);
      return await limited({ ...labelledArrays(columns, targets, inputs, flags), name: path }, flags.samples);
    } catch (error) {
      if (!(error instanceof OnnxMishError) || error.where !== undefined) throw error;
      throw withDetails(error, { where: path });
    }
  };
}

/** Returns at most `limit` samples, taken evenly from all. */
async function limited(data: LabelledData, limit: number | undefined): Promise<LabelledData> {
  const { count } = data.samples;
  if (limit === undefined || limit >= count) return data;
  const indices = Uint32Array.from(evenly(count, limit));
  const { inputs, targets } = partOf(data, indices);
  const digest = await sha256(JSON.stringify([await dataDigest(data), limit]));
  return { ...data, indices, samples: inputs, targets, digest };
}
