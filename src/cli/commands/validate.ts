import { Command, Option } from 'commander';
import { inWords } from '../../base/in-words.js';
import { PROVIDERS } from '../../providers/provider.js';
import { WEB_PROVIDERS } from '../../providers/web-providers.js';
import { withLimits } from '../../validate/thresholds.js';
import { dataOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import { chooseModels, failFastOption, refuseForMany } from '../options/many-options.js';
import {
  collectValues,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  formOptions,
  list,
  number,
  positive,
  some,
} from '../options/options.js';
import { isSwapped } from '../options/patterns.js';
import { shardOption } from '../options/shard.js';
import type { Flags } from './run-validate.js';

const HELP = `
${inWords(WEB_PROVIDERS)} run in a browser that is started for it. Each kernel, and each output's parity with the CPU,
is held against what its provider may be off by; an original that is wrong on a provider is a finding and fails
nothing. A threshold that is not met, or cannot be measured, makes the exit code 1. A provider that was asked for
and is not there makes it 3; the others still run. --json prints an onnx-mish/report@2
(onnx-mish/report.schema.json), which \`onnx-mish report\` shows again.

A glob is compared one model after the other, so that no latency suffers from another model, with a table in the end or,
with --json, a line for each model: the report, with \`input\` and \`status\` before it.

Examples:
  $ onnx-mish validate model.onnx model.mish.onnx
  $ onnx-mish validate model.onnx --target cpu --dim batch=1
  $ onnx-mish validate model.onnx --providers cpu,wasm,webgl,webgpu,cuda --report report.html
  $ onnx-mish validate model.onnx model.mish.onnx --data digits.npz --labels y --max-top1-drop 1
  $ onnx-mish validate model.onnx model.mish.onnx --images test-set --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  $ onnx-mish validate model.onnx model.mish.onnx --json > report.json
  $ onnx-mish validate "zoo/**/*.onnx" --swapped-dir out --min-sqnr 10 --shard 2/5 --json > 2.jsonl
  $ onnx-mish validate model.onnx --data samples.npz --require "sqnr>=30" --require "agreement>=0.99"`;

export function command(): Command {
  const providers = new Option(
    '--providers <names>',
    `execution providers, comma-separated: ${PROVIDERS.join(', ')}`,
  )
    .argParser(list)
    .default(['cpu'], 'cpu');
  const command = new Command('validate')
    .summary('compare a swapped model with its original')
    .description(
      'Runs both models and reports the error of the Mish kernel, the drift of every output, accuracy and latency.',
    )
    .argument('[original]', 'the model before the swap, or a glob in quotes for many')
    .argument(
      '[swapped]',
      "the model after the swap (default: the original, swapped in memory), or a second glob such as '!old/*'",
    )
    .optionsGroup(GROUPS.measures)
    .addOption(providers);
  measureOptions(command);
  dataOptions(command)
    .option(
      '--samples <number>',
      'maximal number of samples (default: all; 4 random inputs without data)',
      some,
    )
    .addOption(
      new Option('--runs <number>', 'earlier name of --samples, for random inputs')
        .argParser(count)
        .hideHelp(),
    );
  formOptions(command).option('--beta <number>', 'sharpness β of the swap in memory', number);
  limitOptions(command);
  command
    .optionsGroup(GROUPS.output)
    .option('--report <file>', 'write the report as a single self-contained HTML file; - is standard output')
    .option(
      '--junit <file>',
      'write JUnit XML for a build server, for many models a case for each; - is standard output',
    )
    .option('-f, --force', 'overwrite existing files');
  command
    .optionsGroup(GROUPS.many)
    .option(
      '--swapped-dir <folder>',
      'for a glob: folder with the output of swap --out-dir (default: swapped in memory)',
    )
    .addOption(shardOption('models'))
    .addOption(failFastOption());
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText('after', HELP)
    .action(run);
}

/** Adds the options of what is measured, and where. */
function measureOptions(command: Command): void {
  command
    .option('--threads <number>', 'threads within an operator (default: chosen by ONNX Runtime)', count)
    .option(
      '--browser <path>',
      `the browser for ${inWords(WEB_PROVIDERS)} (default: searched for, see doctor)`,
    )
    .option(
      '--timeout <seconds>',
      'time limit for loading a model, and for each run, in a browser',
      positive,
      120,
    )
    .option(
      '--allow-fallback',
      'let nodes that a provider of onnxruntime-node does not support run on the CPU, and list them',
    )
    .option('--device-id <number>', 'GPU of cuda, tensorrt and dml', count)
    .option('--per-layer', 'also compare inner tensors: original and swapped, each provider and the CPU')
    .option('--profile', 'show the time per operator, on the providers of onnxruntime-node')
    .option('--no-latency', 'do not measure latency')
    .option('--pairs <number>', 'minimal number of timed pairs of runs (default: 30)', count)
    .option('--seconds <number>', 'minimal duration of the timing (default: 2)', number);
}

/** Adds the limits of a passed comparison. */
function limitOptions(command: Command): void {
  command
    .optionsGroup(GROUPS.limits)
    .option('--max-abs <number>', 'largest difference of any output element', number)
    .option('--min-cosine <number>', 'smallest cosine between outputs', number)
    .option('--min-sqnr <dB>', 'smallest signal to noise ratio of an output', number)
    .option('--min-agreement <share>', 'smallest share of rows with the same top class (0 to 1)', number)
    .option('--min-top1 <share>', 'smallest labelled top-1 accuracy of the swapped model (0 to 1)', number)
    .option(
      '--max-top1-drop <points>',
      'largest loss of labelled top-1 accuracy, in percentage points',
      number,
    )
    .option(
      '--max-latency-ratio <number>',
      'largest ratio of median latencies, swapped over original',
      number,
    )
    .option(
      '--max-kernel-error <number>',
      'largest error of a kernel, divided by the larger of 1 and the exact value (default: by provider)',
      number,
    )
    .option(
      '--max-parity <share>',
      'largest difference from the CPU, as a share of the largest output (default: by provider)',
      number,
    )
    .option(
      '--require <limit>',
      'the same limits as swap --keep takes them, such as sqnr>=30 or top1-drop<=0.5; repeatable',
      collectValues,
    );
}

async function run(
  original: string | undefined,
  swapped: string | undefined,
  given: Flags,
  command: Command,
): Promise<void> {
  const flags: Flags = { ...given, ...withLimits(given, given.require ?? []) };
  const inMany = { ...flags, outDir: flags.swappedDir };
  const models = [original, swapped].filter((model) => model !== undefined);
  const chosen = isSwapped(swapped) ? { one: original ?? '' } : chooseModels(models, inMany, command);
  if ('many' in chosen) {
    refuseForMany(flags, ['report'], command);
    const { validateMany } = await import('./validate-many.js');
    return validateMany(chosen.many, flags);
  }
  const { run } = await import('./run-validate.js'); // slow to load, and not needed for help
  await run(chosen.one, swapped, flags);
}
