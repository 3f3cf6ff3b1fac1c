// Inputs of runs, from the options of `dataOptions`.

import { OnnxMishError } from '../../base/error.js';
import { type NamedTensor, namedTensor, sampledFeeds, testCaseFeeds } from '../../data/arrays.js';
import { type Dataset, seededFeeds } from '../../data/dataset.js';
import type { DataMaker } from '../../data/in-batches.js';
import { parseArrays } from '../../data/parse-arrays.js';
import { checkShapes, type ShapeOptions } from '../../data/shapes.js';
import { readSamples, type TestCase } from '../../node/read-samples.js';
import type { ValueInfo } from '../../providers/provider.js';
import type { Tensors } from '../../providers/tensor.js';
import type { DataFlags } from '../options/data-options.js';
import { readImages } from '../options/image-options.js';
import { NOISE } from '../options/noise.js';
import { notesWithFlags } from '../text/flags.js';
import { sayNote } from '../text/say.js';

/**
 * Reads the samples of `--data` or `--images`; without either, makes `noises` runs of noise. `note` receives notes about the
 * data; by default they go to standard error. Throws `io`, `bad-data` and `bad-usage`.
 */
export async function readData(
  flags: DataFlags,
  noises: number,
  { note = sayNote, signal }: { note?: (text: string) => void; signal?: AbortSignal | undefined } = {},
): Promise<DataMaker> {
  checkArrayFlags(flags);
  const noteOnce = onceEach(note);
  const images = await readImages(flags);
  const noise = flags.data === undefined || flags.data === NOISE;
  const samples = flags.data === undefined || noise ? undefined : await loadSamples(flags.data, signal);
  if (samples?.kind === 'cases') refuseWithCases(flags);
  return (inputs, outputs, more) => {
    const { shapes, dims } = shapeOptions(flags);
    const shape = { shapes, dims: { ...more, ...dims } };
    const made = images?.(inputs, shape) ?? dataset(samples, inputs, outputs, { ...flags, shape, noises });
    notesWithFlags(made.notes, made.noteOptions).forEach(noteOnce);
    return made;
  };
}

/** Returns a function that hands on each note about the data once. */
export function onceEach(hand: (text: string) => void): (text: string) => void {
  const known = new Set<string>();
  return (text) => {
    if (known.has(text)) return;
    known.add(text);
    hand(text);
  };
}

/** Throws `bad-usage` for an option of arrays without arrays. */
export function checkArrayFlags({
  data,
  scale,
  dataLayout,
}: Pick<DataFlags, 'data' | 'scale' | 'dataLayout'>): void {
  if (data !== undefined && data !== NOISE) return;
  const stray = scale !== undefined ? '--scale' : dataLayout !== undefined ? '--data-layout' : undefined;
  if (stray === undefined) return;
  throw new OnnxMishError('bad-usage', `${stray} needs samples in arrays`, {
    fix: 'Give samples with --data samples.npz',
  });
}

/** Throws `bad-usage` for an option of arrays with test cases, whose tensors are fed as they are. */
function refuseWithCases({ data, labels, scale, dataLayout }: DataFlags): void {
  const given = { '--labels': labels, '--scale': scale, '--data-layout': dataLayout };
  const [stray] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (stray === undefined) return;
  throw new OnnxMishError(
    'bad-usage',
    `${stray} needs samples in arrays, and this is a folder of test cases`,
    {
      where: data,
      fix: `Leave out ${stray}, or give samples with --data samples.npz`,
    },
  );
}

/** Samples: arrays to split into feeds, or test cases of feeds with expected outputs. */
type Samples =
  | { readonly kind: 'arrays'; readonly arrays: Tensors }
  | { readonly kind: 'cases'; readonly cases: ReturnType<typeof namedTensors>[] };

async function loadSamples(path: string, signal: AbortSignal | undefined): Promise<Samples> {
  const found = await readSamples(path, signal);
  if (found.kind === 'cases') return { kind: 'cases', cases: found.cases.map(namedTensors) };
  return { kind: 'arrays', arrays: await parseArrays(found.files, signal) };
}

/** Default number of random inputs, except in `validate`; more add no information. */
export const DEFAULT_NOISE_RUNS = 32;

/** Returns no limit (the largest integer) for noise, which already has the requested number; else undefined. */
export function allOfNoise({ data }: DataFlags): number | undefined {
  return data === NOISE ? Number.MAX_SAFE_INTEGER : undefined;
}

/** Throws `bad-usage` without `--data` and `--images`. */
export function requireSamples({ data, images }: DataFlags, what: string): void {
  if (data !== undefined || images !== undefined) return;
  throw new OnnxMishError('bad-usage', `${what} needs samples to run the model on`, {
    fix: 'Give samples with --data samples.npz or --images folder; --data random is noise, which shows little',
  });
}

function dataset(
  samples: Samples | undefined,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  {
    labels,
    ignoreLabel,
    seed,
    shape,
    noises,
    scale,
    dataLayout,
  }: Pick<DataFlags, 'labels' | 'ignoreLabel' | 'seed' | 'scale' | 'dataLayout'> & {
    shape: ShapeOptions;
    noises: number;
  },
): Dataset {
  if (samples === undefined) {
    if (labels !== undefined) {
      throw new OnnxMishError('bad-usage', '--labels needs samples', {
        fix: 'Give samples with --data samples.npz',
      });
    }
    return seededFeeds(inputs, { ...shape, seed, count: Math.max(1, noises) });
  }
  checkShapes(inputs, shape);
  if (samples.kind === 'cases') return testCaseFeeds(samples.cases, inputs, outputs);
  return sampledFeeds(samples.arrays, inputs, { ...shape, labels, ignoreLabel, scale, dataLayout });
}

/** Parses the shapes of `--shape` and `--dim`. Throws `bad-usage`. */
export function shapeOptions(flags: Pick<DataFlags, 'shape' | 'dim'>): ShapeOptions {
  return {
    shapes: Object.fromEntries(pairs(flags.shape, '--shape').map(([name, text]) => [name, sizes(text)])),
    dims: Object.fromEntries(pairs(flags.dim, '--dim').map(([name, text]) => [name, size(name, text)])),
  };
}

/** Splits `name=text` at the last `=`, since names may contain `=`. */
function pairs(values: readonly string[] | undefined, option: string): [string, string][] {
  return (values ?? []).map((value) => {
    const at = value.lastIndexOf('=');
    if (at > 0) return [value.slice(0, at), value.slice(at + 1)];
    const lacks = at < 0 ? "no '='" : "no name before '='";
    throw new OnnxMishError('bad-usage', `${option} '${value}' has ${lacks}`, {
      fix: `Write ${option} name=size`,
    });
  });
}

function size(name: string, text: string): number {
  const dim = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(dim)) return dim;
  throw new OnnxMishError('bad-usage', `the size of '${name}' has to be a whole number, got '${text}'`, {
    fix: `Write --dim '${name}=1'`,
  });
}

function sizes(text: string): number[] {
  const parts = text === '' ? [] : text.split(/[x,]/);
  const dims = parts.map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (dims.every(Number.isSafeInteger)) return dims;
  throw new OnnxMishError('bad-usage', `'${text}' is not a valid shape`, {
    fix: 'Write sizes as 1x3x224x224',
  });
}

function namedTensors(test: TestCase): { inputs: NamedTensor[]; outputs: NamedTensor[] } {
  return { inputs: test.inputs.map(namedTensor), outputs: test.outputs.map(namedTensor) };
}
