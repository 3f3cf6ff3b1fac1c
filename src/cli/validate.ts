import { basename } from 'node:path';
import { Command } from 'commander';
import { type FormOptions, swap } from '../mish/swap.js';
import { openModel } from '../node/model-file.js';
import { readSamples, type SampleFiles, type TestCase } from '../node/read-samples.js';
import { OnnxMishError } from '../onnx/error.js';
import type { TensorData } from '../onnx/tensor-data.js';
import { arrayFor, elementCount } from '../providers/tensor.js';
import { PROVIDERS, type ValueInfo } from '../providers/types.js';
import { renderTerminal } from '../report/terminal.js';
import { type Dataset, type ShapeOptions, seededFeeds } from '../validate/feeds.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../validate/files.js';
import { parseNpy } from '../validate/npy.js';
import { type NamedTensor, sampledFeeds, testCaseFeeds } from '../validate/samples.js';
import type { Thresholds } from '../validate/thresholds.js';
import type { Candidate } from '../validate/validate.js';
import { EXIT, interruptible } from './exit.js';
import { collect, commonOptions, count, formOptions, list, number } from './options.js';
import { steps } from './progress.js';
import { clean } from './text.js';

interface Flags extends FormOptions, Thresholds {
  beta?: number;
  providers?: string[];
  data?: string;
  labels?: string;
  shape?: string[];
  dim?: string[];
  seed: number;
  runs: number;
  threads?: number;
  latency: boolean;
  pairs?: number;
  seconds?: number;
  json?: boolean;
}

export function command(): Command {
  const command = new Command('validate')
    .summary('compare a swapped model with its original')
    .description(
      'Runs both models and reports the error of the Mish kernel, the drift of every output, accuracy and latency.',
    )
    .argument('<original>', 'the model before the swap')
    .argument('[swapped]', 'the model after it; without it the original is swapped in memory')
    .option('--providers <names>', `execution providers, comma-separated: ${PROVIDERS.join(', ')}`, list, [
      'cpu',
    ])
    .option(
      '--data <path>',
      'samples: an .npz, an .npy, or a folder with input_0.pb and output_0.pb (default: noise)',
    )
    .option('--labels <array>', 'the array of the .npz that holds the classes')
    .option('--shape <input=1x3x224x224>', 'the shape to feed an input with (repeatable)', collect)
    .option('--dim <symbol=1>', 'the size of a symbolic dimension (repeatable)', collect)
    .option('--seed <number>', 'seed of the noise', count, 0)
    .option('--runs <number>', 'how many different noises to feed', count, 4)
    .option('--threads <number>', 'threads within an operator (default: what ONNX Runtime chooses)', count)
    .option('--no-latency', 'do not measure latency')
    .option('--pairs <number>', 'pairs of runs to time at the least (default: 30)', count)
    .option('--seconds <number>', 'seconds to time for at the least (default: 2)', number);
  formOptions(command).option('--beta <number>', 'sharpness for the swap in memory', number);
  command
    .option('--max-abs <number>', 'largest difference of any output element', number)
    .option('--min-cosine <number>', 'smallest cosine between outputs', number)
    .option('--min-sqnr <dB>', 'smallest signal to noise ratio of an output', number)
    .option('--min-agreement <share>', 'smallest share of rows with the same top class (0 to 1)', number)
    .option('--min-top1 <share>', 'smallest labelled top-1 accuracy of the swapped model (0 to 1)', number)
    .option('--max-top1-drop <share>', 'largest loss of labelled top-1 accuracy (0 to 1)', number)
    .option(
      '--max-latency-ratio <number>',
      'largest ratio of median latencies, swapped over original',
      number,
    )
    .option('--max-kernel-error <number>', 'largest absolute error of the Mish kernel', number);
  return commonOptions(command)
    .addHelpText(
      'after',
      `
A threshold that is not met, or cannot be measured, makes the exit code 1. A provider that was asked for and
is not there makes it 3; the others still run. --json prints an onnx-mish/report@1 (onnx-mish/report.schema.json).

Examples:
  $ onnx-mish validate model.onnx model.mish.onnx
  $ onnx-mish validate model.onnx --target cpu --dim batch=1
  $ onnx-mish validate model.onnx model.mish.onnx --data digits.npz --labels y --max-top1-drop 0.01
  $ onnx-mish validate model.onnx model.mish.onnx --json > report.json`,
    )
    .action(run);
}

async function run(originalPath: string, swappedPath: string | undefined, flags: Flags): Promise<void> {
  const original = await fileCandidate(originalPath, basename(originalPath));
  const swapped =
    swappedPath === undefined
      ? await swappedInMemory(originalPath, flags)
      : await fileCandidate(swappedPath, basename(swappedPath));
  const files = flags.data === undefined ? undefined : await readSamples(flags.data);
  const bar = steps();
  const report = await validateFiles(original, swapped, {
    providers: flags.providers,
    data: (inputs, outputs) => dataset(files, inputs, outputs, flags),
    session: { threads: flags.threads },
    latency: flags.latency ? { minPairs: flags.pairs, minSeconds: flags.seconds } : false,
    thresholds: flags,
    signal: interruptible(),
    onProgress: bar.update,
  });
  bar.end();
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  console.log(flags.json ? JSON.stringify(report, null, 2) : renderTerminal(report, { colour, clean }));
  if (!report.passed) process.exitCode = EXIT.threshold;
  else if (report.providers.some((row) => row.status === 'unavailable')) process.exitCode = EXIT.unavailable;
}

async function swappedInMemory(path: string, flags: Flags): Promise<Candidate> {
  const file = await openModel(path);
  try {
    const { output, report } = await swap(file, { form: flags.form, target: flags.target, beta: flags.beta });
    return bytesCandidate(await output.bytes(), `${basename(path)} (swapped in memory, ${report.form} form)`);
  } finally {
    await file.close();
  }
}

function dataset(
  files: SampleFiles | undefined,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  flags: Flags,
): Dataset {
  const shape: ShapeOptions = {
    shapes: Object.fromEntries(pairs(flags.shape, '--shape').map(([name, text]) => [name, sizes(text)])),
    dims: Object.fromEntries(pairs(flags.dim, '--dim').map(([name, text]) => [name, sizes(text)[0] ?? 0])),
  };
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
