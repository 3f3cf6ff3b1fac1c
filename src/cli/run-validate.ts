import { basename } from 'node:path';
import { type FormOptions, swapDocument } from '../mish/swap.js';
import { withDocument } from '../node/document.js';
import { readSamples, type SampleFiles, type TestCase } from '../node/read-samples.js';
import { OnnxMishError } from '../onnx/error.js';
import type { TensorData } from '../onnx/tensor-data.js';
import { arrayFor, elementCount } from '../providers/tensor.js';
import type { ValueInfo } from '../providers/types.js';
import { renderTerminal } from '../report/terminal.js';
import { type Dataset, type ShapeOptions, seededFeeds } from '../validate/feeds.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../validate/files.js';
import { parseNpy } from '../validate/npy.js';
import { type NamedTensor, sampledFeeds, testCaseFeeds } from '../validate/samples.js';
import type { Thresholds } from '../validate/thresholds.js';
import type { Candidate } from '../validate/validate.js';
import { EXIT, interruptible } from './exit.js';
import { type ImageFlags, readImages } from './image-options.js';
import { steps } from './progress.js';
import { clean } from './text.js';
import { checkViews, writeViews } from './views.js';

/** The command's options, as commander gives them. */
export interface Flags extends FormOptions, Thresholds, ImageFlags {
  beta?: number;
  providers?: string[];
  data?: string;
  labels?: string;
  shape?: string[];
  dim?: string[];
  seed: number;
  runs: number;
  threads?: number;
  browser?: string;
  timeout: number;
  allowFallback?: boolean;
  deviceId?: number;
  perLayer?: boolean;
  profile?: boolean;
  latency: boolean;
  pairs?: number;
  seconds?: number;
  json?: boolean;
  report?: string;
  junit?: string;
  force?: boolean;
}

/** Compares, prints the report, and sets the exit code. */
export async function run(
  originalPath: string,
  swappedPath: string | undefined,
  flags: Flags,
): Promise<void> {
  const views = { html: flags.report, junit: flags.junit, force: flags.force };
  await checkViews(views); // before minutes are spent on what cannot be written
  const original = await fileCandidate(originalPath, basename(originalPath));
  const swapped =
    swappedPath === undefined
      ? await swappedInMemory(originalPath, flags)
      : await fileCandidate(swappedPath, basename(swappedPath));
  const files = flags.data === undefined ? undefined : await readSamples(flags.data);
  const images = await readImages(flags);
  const bar = steps();
  const report = await validateFiles(original, swapped, {
    providers: flags.providers,
    data: (inputs, outputs) =>
      images?.(inputs, shapeOptions(flags)) ?? dataset(files, inputs, outputs, flags),
    session: { threads: flags.threads, allowFallback: flags.allowFallback, deviceId: flags.deviceId },
    browser: flags.browser,
    timeoutMs: Math.min(1000 * flags.timeout, 2 ** 31 - 1), // more than a timer can count to
    latency: flags.latency ? { minPairs: flags.pairs, minSeconds: flags.seconds } : false,
    thresholds: flags,
    perLayer: flags.perLayer,
    profile: flags.profile,
    signal: interruptible(),
    onProgress: bar.update,
  }).finally(bar.end);
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  console.log(flags.json ? JSON.stringify(report, null, 2) : renderTerminal(report, { colour, clean }));
  await writeViews(report, views);
  const failed =
    report.verdicts.some(({ passed, binding }) => binding && !passed) ||
    report.providers.some(({ status }) => status === 'failed');
  if (failed) process.exitCode = EXIT.threshold;
  else if (report.providers.some((row) => row.status === 'unavailable')) process.exitCode = EXIT.unavailable;
}

async function swappedInMemory(path: string, flags: Flags): Promise<Candidate> {
  const { form, target, beta } = flags;
  return withDocument(path, async (document) => {
    const { output, report } = await swapDocument(document, { form, target, beta });
    return bytesCandidate(await output.bytes(), `${basename(path)} (swapped in memory, ${report.form} form)`);
  });
}

function dataset(
  files: SampleFiles | undefined,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  flags: Flags,
): Dataset {
  const shape = shapeOptions(flags);
  if (files === undefined) {
    if (flags.labels !== undefined) {
      throw new OnnxMishError('bad-usage', '--labels needs samples', {
        fix: 'Give them with --data samples.npz',
      });
    }
    return seededFeeds(inputs, { ...shape, seed: flags.seed, count: Math.max(1, flags.runs) });
  }
  if (files.kind === 'cases') return testCaseFeeds(files.cases.map(namedTensors), inputs, outputs);
  const arrays = Object.fromEntries([...files.files].map(([name, bytes]) => [name, parseNpy(bytes, name)]));
  return sampledFeeds(arrays, inputs, { ...shape, labels: flags.labels });
}

function shapeOptions(flags: Flags): ShapeOptions {
  return {
    shapes: Object.fromEntries(pairs(flags.shape, '--shape').map(([name, text]) => [name, sizes(text)])),
    dims: Object.fromEntries(pairs(flags.dim, '--dim').map(([name, text]) => [name, sizes(text)[0] ?? 0])),
  };
}

/** `name=text`, split at the last `=`, since names may hold one. */
function pairs(values: readonly string[] | undefined, option: string): [string, string][] {
  return (values ?? []).map((value) => {
    const at = value.lastIndexOf('=');
    if (at > 0) return [value.slice(0, at), value.slice(at + 1)];
    throw new OnnxMishError('bad-usage', `${option} '${value}' has no '='`, {
      fix: `Write ${option} name=size`,
    });
  });
}

function sizes(text: string): number[] {
  const dims = text === '' ? [] : text.split(/[x,]/).map(Number);
  if (dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return dims;
  throw new OnnxMishError('bad-usage', `'${text}' is no shape`, { fix: 'Write sizes as 1x3x224x224' });
}

function namedTensors(test: TestCase): { inputs: NamedTensor[]; outputs: NamedTensor[] } {
  return { inputs: test.inputs.map(toTensor), outputs: test.outputs.map(toTensor) };
}

/** Bytes of a test case as an array of their type. */
function toTensor({ name, elemType, dims, data }: TensorData): NamedTensor {
  if (!(data instanceof Uint8Array)) return { name, tensor: { elemType, dims, data } };
  const array = arrayFor(elemType, elementCount(dims));
  if (array === undefined || array.byteLength !== data.length) {
    throw new OnnxMishError(
      'bad-data',
      `tensor '${name}' (${elemType} [${dims}]) holds ${data.length} bytes`,
      {
        fix: 'Its data does not fit its shape',
      },
    );
  }
  new Uint8Array(array.buffer).set(data);
  return { name, tensor: { elemType, dims, data: array } };
}
