import { Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { type DataAccess, withDataFiles } from '../../files/external-data.js';
import { scanFile } from '../../files/scan-file.js';
import { checkedBy } from '../../files/unchanged.js';
import { INT8_WAYS } from '../../mish/int8-ways.js';
import { parsePlan, planOf } from '../../mish/plan.js';
import type { SwapReport } from '../../mish/results.js';
import { activationTag, type SwapOptions, swapDocument } from '../../mish/swap.js';
import { swapFile, type Written } from '../../node/transform-file.js';
import type { OpenData } from '../../onnx/weights.js';
import { isPiped, modelArgument, readJson } from '../io/files.js';
import { runTransformation, type TransformFlags } from '../io/transform.js';
import { dataOptions, refuseSampleOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import {
  chooseModels,
  MANY_HELP,
  type ManyFlags,
  manyOptions,
  refuseForMany,
} from '../options/many-options.js';
import {
  activationOptions,
  beta,
  collectValues,
  commonOptions,
  configOptions,
  dataAccess,
  fixOptions,
  formOptions,
  moveOption,
  opsetOption,
  outputOptions,
  quietOption,
  siteOptions,
  some,
} from '../options/options.js';
import { describeSwapReport, sayDryRun } from '../text/describe-swap.js';
import { beQuiet } from '../text/say.js';
import { COST_NOTE } from '../text/say-cost.js';
import { growth, integer } from '../text/text.js';
import type { Flags } from './swap-flags.js';

export function command(): Command {
  const swap = new Command('swap')
    .summary('replace activations with Mish, or with another activation')
    .description(
      'Replaces ReLU and LeakyReLU nodes with Mish, or with the activation of --to. Every other byte of the model stays as it is.',
    );
  const leaky = new Option('--leaky <kind>', 'what LeakyRelu becomes (default: mish)');
  const plan = new Option('--plan <file>', 'swap the sites of an edited plan, with the options in the plan');
  plan.conflicts(['to', 'alpha', 'form', 'target', 'beta', 'leaky', 'only', 'include', 'exclude', 'keep']);
  const int8 = new Option('--int8 <how>', 'swap quantised sites as well, with new scales').choices(INT8_WAYS);
  int8.conflicts(['to', 'plan']);
  siteOptions(activationOptions(swap))
    .addOption(leaky.choices(['mish', 'mixture']))
    .addOption(plan)
    .option('--strict', 'fail (exit code 1) if an activation is skipped');
  opsetOption(fixOptions(formOptions(swap)))
    .option(
      '--beta <number>',
      'sharpness β of x·tanh(softplus(βx)), or of Swish x·σ(βx): ∞ is ReLU; auto: the smallest that --keep allows',
      beta,
    )
    .addOption(int8)
    .option('--fold', 'multiply β into the weights around a site where possible, which saves nodes');
  swap
    .optionsGroup(GROUPS.samples)
    .option(
      '--keep <limit>',
      'swap only as many sites as this limit on samples allows (repeatable)',
      collectValues,
    );
  dataOptions(swap, 'for --keep; random for noise').option(
    '--samples <number>',
    'maximal number of samples for --keep (default: 512; 32 for noise)',
    some,
  );
  moveOption(outputOptions(swap, '<model>.mish.onnx, or .<activation>.onnx with --to'))
    .option('--report <file>', 'with --keep: write the result as an HTML file; - is standard output')
    .option('--dry-run', 'write nothing; with --json print a plan that --plan takes')
    .option('--no-undo', 'leave out the record from which `undo` restores the original');
  manyOptions(quietOption(swap));
  return commonOptions(configOptions(dataAccess(swap)))
    .addHelpText('after', HELP)
    .action(run);
}

const HELP = `
Forms:
  softplus  Softplus, Tanh, Mul: the textbook subgraph; best on GPUs (the default)
  exp       the same function exactly; the fast one on CPU and WASM, the only one on WebGL
  native    ONNX's Mish operator, from opset 18 on
  sigmoid   an approximation within 0.0312 of Mish, for the CPU; no --target chooses it
  tanh      the same within 0.00083
  hard      the same within 0.147

LeakyRelu of slope α:
  mish      Mish, whatever α is (the default)
  mixture   αx + (1 - α)·Mish: no longer Mish itself; with --beta it tends to this LeakyRelu, as Mish tends to Relu

Quantised models (--int8): sites between QuantizeLinear and DequantizeLinear are skipped by default.
  exact     Mish in the chosen form between floats
  qlinear   x·σ(ax + b) by ONNX Runtime's QLinearSigmoid and QLinearMul: on its CPU and WASM only, faster, within about 0.05
Scales of the sites and biases are made anew from the old ones. A QuantizeLinear that clips negative values counts as ReLU.

Other activations (--to):
relu, leakyrelu, swish (or silu), gelu, hardswish, elu are written with the operators of the model's opset, and replace
relu, leakyrelu and mish by default; --only names other kinds, also those written out in several nodes.
The output is <model>.<activation>.onnx. --form, --leaky and --beta auto are for Mish, --beta for Mish and Swish.

A budget, with --keep and samples (--data or --images):
  agreement>=0.99  the share of rows whose top class stays, where an output looks like class scores
  sqnr>=30         signal to noise of the output that moves most, in dB
  cosine>=0.999    the smallest cosine between an output and the original's
  max-abs<=0.01    the largest difference of an output element
  top1-drop<=0.5   what labelled top-1 accuracy may lose, in percentage points
The largest set of sites that keeps all of them is looked for on two thirds of the samples, and has to keep them on the
rest as well; sites are taken back until it does. Where no site is found that does, nothing is written and the exit code is 1.

With --beta auto all sites are swapped, with the smallest β with which the budget holds. A site that does more harm gets a larger β.
The command calibrate repairs the weights as well, so that a smaller β keeps the same budget.

Folding (--beta 4 --fold): β goes into the weights before a site and 1/β into those after it, where pooling, ReLU, reshaping
and the like are all that lies between. The outputs stay what they are with --beta 4, to the bit where β is a power of two.
Sites that cannot be folded keep their β, and are listed with the reason. The record for undo then holds the old weights.
${MANY_HELP}

Examples:
  $ onnx-mish swap model.onnx
  $ onnx-mish swap model.onnx --target webgl -o public/model.onnx
  $ onnx-mish swap model.onnx --to hardswish --target wasm
  $ onnx-mish swap model.mish.onnx --to leakyrelu --alpha 0.1
  $ onnx-mish swap model.onnx --only leakyrelu --exclude "/head/*"
  $ onnx-mish swap model.onnx --dry-run --json > plan.json
  $ onnx-mish swap model.onnx --plan plan.json
  $ onnx-mish swap model.onnx --data samples.npz --keep "agreement>=0.99"
  $ onnx-mish swap model.onnx --data samples.npz --keep "sqnr>=20" --beta auto
  $ onnx-mish swap model.onnx --images test-set --keep "top1-drop<=0.5" --keep "sqnr>=10" --dry-run
  $ onnx-mish swap "zoo/**/*.onnx" '!zoo/old/**' --target cpu --out-dir out --shard 2/5 --json > 2.jsonl
  $ cat model.onnx | onnx-mish swap - -o - > swapped.onnx`;

async function run(
  models: readonly string[],
  given: Omit<Flags, 'beta'> & { beta?: number | 'auto' },
  command: Command,
): Promise<void> {
  if (given.quiet) beQuiet();
  const chosen = chooseModels(models, given, command);
  if ('many' in chosen) {
    refuseForMany({ ...given, 'beta auto': given.beta === 'auto' }, ['keep', 'beta auto', 'plan']);
    const flags = { ...given, plan: undefined, beta: given.beta === 'auto' ? undefined : given.beta };
    checkStray(command);
    const { transformMany } = await import('../io/transform-many.js'); // loaded late: the table library is slow to load
    return transformMany<SwapOptions & TransformFlags & ManyFlags, SwapReport>(chosen.many, flags, {
      tag: activationTag(flags),
      dry: flags.dryRun,
      done: flags.dryRun ? 'to be swapped' : 'swapped',
      command: 'swap',
      file: flags.dryRun ? dryFile : swapFile,
      note: flags.dryRun ? undefined : COST_NOTE,
      unchanged: ({ sites }) => sites.length === 0,
      nothing: 'with nothing to swap',
      document: flags.dryRun ? planOf : undefined,
      head: ['sites', 'skipped', 'form', 'bytes', 'growth'],
      row: ({ sites, skipped, form, bytesIn, bytesOut }) => [
        integer(sites.length),
        integer(skipped.length),
        sites.length === 0 ? '–' : form,
        integer(bytesOut),
        growth(bytesIn, bytesOut),
      ],
    });
  }
  const input = chosen.one;
  const { beta, ...rest } = given;
  if (beta === 'auto') {
    // The report of a configuration is for other runs.
    if (command.getOptionValueSource('report') === 'cli') {
      throw new OnnxMishError('bad-usage', '--report is for --keep without --beta auto', {
        fix: 'Leave out --report; calibrate --beta auto has a report',
      });
    }
    const { runSharpen } = await import('./run-sharpen.js'); // loaded late: ONNX Runtime is slow to load
    return runSharpen(input, rest);
  }
  const flags: Flags = { ...rest, beta };
  if (input === '-' && flags.plan === '-') {
    throw new OnnxMishError('bad-usage', 'model and plan cannot both come from standard input', {
      fix: 'Name a file for the model or the plan',
    });
  }
  if (flags.keep !== undefined && flags.opset !== undefined) {
    throw new OnnxMishError('bad-usage', '--opset and --keep do not go together', {
      fix: 'First swap with --keep, then raise the opset with retarget --opset',
    });
  }
  if (flags.keep !== undefined) {
    const { runKeep } = await import('./run-keep.js'); // loaded late: ONNX Runtime is slow to load
    return runKeep(input, { ...flags, keep: flags.keep });
  }
  checkStray(command);
  const plan = flags.plan === undefined ? undefined : parsePlan(await readJson(flags.plan), flags.plan);
  if (flags.dryRun) {
    const { report } = await dryFile(input, { ...flags, plan });
    return sayDryRun(input, report, flags.json ?? false, describeSwapReport(report, flags));
  }
  const options: SwapOptions & TransformFlags = { ...flags, plan };
  return runTransformation(input, options, {
    file: swapFile,
    document: swapDocument,
    describe: describeSwapReport,
    note: COST_NOTE,
  });
}

/** Swaps a model without writing the result. */
async function dryFile(input: string, options: SwapOptions & DataAccess): Promise<Written<SwapReport>> {
  const source = await modelArgument(input);
  try {
    const { report } = await checkedBy(source.checkUnchanged, async () => {
      const document = await scanFile(input, source, options);
      const work = async (openData?: OpenData) => swapDocument(document, { ...options, openData });
      const opens = options.fold === true || (options.int8 ?? options.plan?.int8) !== undefined;
      return opens && !(await isPiped(input)) ? withDataFiles(input, document, work, options) : work();
    });
    return { output: '', copied: [], report };
  } finally {
    await source.close();
  }
}

/** Throws `bad-usage` if an option is given that needs --keep. */
function checkStray(command: Command): void {
  const fix = 'Add a limit, for example --keep "agreement>=0.99" or --keep "sqnr>=30"';
  refuseSampleOptions(command, '--keep', fix);
}
