import { Command, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { type DataAccess, withDataFiles } from '../../files/external-data.js';
import { checkedBy } from '../../files/unchanged.js';
import { KINDS } from '../../mish/activation-kinds.js';
import type { FixedNode } from '../../mish/fixes.js';
import { parsePlan, planOf } from '../../mish/plan.js';
import type { SiteReport, SkipReport, SwapReport } from '../../mish/results.js';
import { type SwapOptions, swapDocument } from '../../mish/swap.js';
import { swapFile, type Written } from '../../node/transform-file.js';
import { scan } from '../../onnx/scan.js';
import type { OpenData } from '../../onnx/weights.js';
import { isPiped, modelArgument, readJson } from '../io/files.js';
import { runTransformation, type TransformFlags } from '../io/transform.js';
import { type DataFlags, dataOptions } from '../options/data-options.js';
import {
  chooseModels,
  MANY_HELP,
  type ManyFlags,
  manyOptions,
  refuseForMany,
} from '../options/many-options.js';
import {
  beta,
  collect,
  commonOptions,
  configOptions,
  count,
  dataAccess,
  fixOptions,
  formOptions,
  opsetOption,
  outputOptions,
  siteOptions,
} from '../options/options.js';
import { say, sayJson } from '../text/say.js';
import { clean, integer, plural } from '../text/text.js';

/** The command's options, as commander gives them. */
export type Flags = Omit<SwapOptions, 'plan'> &
  TransformFlags &
  ManyFlags &
  DataFlags & {
    readonly dryRun?: boolean;
    readonly plan?: string;
    readonly keep?: readonly string[];
    readonly samples?: number;
  };

export function command(): Command {
  const swap = new Command('swap')
    .summary('replace activations with Mish')
    .description(
      'Replaces ReLU and LeakyReLU nodes with Mish. Every other byte of the model stays as it is.',
    );
  manyOptions(swap);
  outputOptions(swap, '<model>.mish.onnx');
  opsetOption(fixOptions(formOptions(swap)));
  swap.option(
    '--beta <number>',
    'sharpness β of x·tanh(softplus(βx)): 1 is Mish, ReLU is the limit; auto: the smallest that --keep allows',
    beta,
  );
  const leaky = new Option('--leaky <kind>', 'what LeakyRelu becomes (default: mish)');
  swap.addOption(leaky.choices(['mish', 'mixture']));
  swap.option(
    '--fold',
    'put β into the weights around a site where that changes nothing: it costs no node then',
  );
  const plan = new Option('--plan <file>', 'swap the sites that an edited plan lists, as it says');
  plan.conflicts(['form', 'target', 'beta', 'leaky', 'only', 'include', 'exclude', 'keep']);
  siteOptions(swap)
    .option('--dry-run', 'write nothing; with --json print a plan that --plan takes')
    .addOption(plan)
    .option('--strict', 'fail (exit code 1) when an activation had to be left alone')
    .option('--no-undo', 'leave out the record from which `undo` restores the original')
    .option('--keep <limit>', 'swap only as many sites as keep this, on samples (repeatable)', collect);
  dataOptions(swap, 'for --keep; random for noise').option(
    '--samples <number>',
    'samples for --keep to take at the most (default: 512, of noise 32)',
    count,
  );
  return commonOptions(configOptions(dataAccess(swap)))
    .addHelpText(
      'after',
      `
Forms:
  softplus  Softplus, Tanh, Mul: the textbook subgraph; best on GPUs (the default)
  exp       the same function exactly; the fast one on CPU and WASM, the only one on WebGL
  native    ONNX's Mish operator, from opset 18 on

LeakyRelu of slope α:
  mish      Mish, whatever α is (the default)
  mixture   αx + (1 - α)·Mish: no longer Mish itself, but with --beta it tends to this LeakyRelu, as Mish tends to Relu

A budget, with --keep and samples (--data or --images):
  agreement>=0.99  the share of rows whose top class stays, where an output looks like class scores
  sqnr>=30         signal to noise of the output that moves most, in dB
  cosine>=0.999    the smallest cosine between an output and the original's
  max-abs<=0.01    the largest difference of an output element
  top1-drop<=0.5   what labelled top-1 accuracy may lose, in percentage points
The largest set of sites that keeps all of them is looked for on two thirds of the samples, and has to keep them on the
rest as well; sites are taken back until it does. Where no site is found that does, nothing is written and the exit code is 1.

With --beta auto all sites are swapped, each with the smallest β with which the budget holds, the more harmful the larger.
The command calibrate repairs the weights as well, and keeps more with less.

Folding (--beta 4 --fold): β goes into the weights before a site and 1/β into those after it, where pooling, ReLU, reshaping
and the like are all that lies between. The outputs stay what they are with --beta 4, to the bit where β is a power of two.
Sites that cannot be folded keep their β, and are listed with the reason. The record for undo then holds the old weights.
${MANY_HELP}

Examples:
  $ onnx-mish swap model.onnx
  $ onnx-mish swap model.onnx --target webgl -o public/model.onnx
  $ onnx-mish swap model.onnx --only leakyrelu --exclude '/head/*'
  $ onnx-mish swap model.onnx --dry-run --json > plan.json
  $ onnx-mish swap model.onnx --plan plan.json
  $ onnx-mish swap model.onnx --data samples.npz --keep 'agreement>=0.99'
  $ onnx-mish swap model.onnx --data samples.npz --keep 'sqnr>=20' --beta auto
  $ onnx-mish swap model.onnx --images test-set --keep 'top1-drop<=0.5' --keep 'sqnr>=10' --dry-run
  $ onnx-mish swap 'zoo/**/*.onnx' '!zoo/old/**' --target cpu --out-dir out --shard 2/5 --json > 2.jsonl
  $ cat model.onnx | onnx-mish swap - -o - > swapped.onnx`,
    )
    .action(run);
}

async function run(
  models: readonly string[],
  given: Omit<Flags, 'beta'> & { beta?: number | 'auto' },
  command: Command,
): Promise<void> {
  const chosen = chooseModels(models, given, command);
  if ('many' in chosen) {
    refuseForMany({ ...given, 'beta auto': given.beta === 'auto' }, ['keep', 'beta auto', 'plan']);
    const flags = { ...given, plan: undefined, beta: given.beta === 'auto' ? undefined : given.beta };
    checkStray(flags);
    const { transformMany } = await import('../io/transform-many.js'); // loads what draws tables
    return transformMany<SwapOptions & TransformFlags & ManyFlags, SwapReport>(chosen.many, flags, {
      ...{ tag: 'mish', dry: flags.dryRun, done: flags.dryRun ? 'to be swapped' : 'swapped' },
      file: flags.dryRun ? dryFile : swapFile,
      document: flags.dryRun ? planOf : undefined,
      head: ['sites', 'kept', 'form', 'bytes', 'growth'],
      row: ({ sites, skipped, form, bytesIn, bytesOut }) => [
        ...[integer(sites.length), integer(skipped.length), form, integer(bytesOut)],
        `+${grown(bytesIn, bytesOut)} %`,
      ],
    });
  }
  const input = chosen.one;
  const { beta, ...rest } = given;
  if (beta === 'auto') {
    const { runSharpen } = await import('./run-sharpen.js'); // loads ONNX Runtime
    return runSharpen(input, rest, { describe, sayDryRun });
  }
  const flags: Flags = { ...rest, beta };
  if (input === '-' && flags.plan === '-') {
    throw new OnnxMishError('bad-usage', 'model and plan cannot both come from standard input', {
      fix: 'Name a file for one of them',
    });
  }
  if (flags.keep !== undefined && flags.opset !== undefined) {
    throw new OnnxMishError('bad-usage', '--opset and --keep do not go together', {
      fix: 'Raise the opset of what --keep wrote, with retarget --opset',
    });
  }
  if (flags.keep !== undefined) {
    const { runKeep } = await import('./run-keep.js'); // loads ONNX Runtime
    return runKeep(input, { ...flags, keep: flags.keep }, { describe, sayDryRun });
  }
  checkStray(flags);
  const plan = flags.plan === undefined ? undefined : parsePlan(await readJson(flags.plan), flags.plan);
  if (flags.dryRun) {
    const { report } = await dryFile(input, { ...flags, plan });
    return sayDryRun(input, report, flags.json ?? false, describe(report));
  }
  const options: SwapOptions & TransformFlags = { ...flags, plan };
  return runTransformation(input, options, { file: swapFile, document: swapDocument, describe });
}

/** A swap of which nothing is written. */
async function dryFile(input: string, options: SwapOptions & DataAccess): Promise<Written<SwapReport>> {
  const source = await modelArgument(input);
  try {
    const { report } = await checkedBy(source.checkUnchanged, async () => {
      const document = await scan(source);
      const work = async (openData?: OpenData) => swapDocument(document, { ...options, openData });
      return options.fold && !(await isPiped(input)) ? withDataFiles(input, document, work, options) : work();
    });
    return { output: '', copied: [], report };
  } finally {
    await source.close();
  }
}

function sayDryRun(input: string, report: SwapReport, json: boolean, lines: readonly string[]): void {
  if (json) sayJson(planOf(report));
  else say([`${clean(input)}: nothing written (dry run)`, ...lines].join('\n'));
}

/** Throws `bad-usage` for an option that means nothing without --keep. */
function checkStray(flags: DataFlags & Pick<Flags, 'samples'>): void {
  const { data, labels, images, shape, dim, samples, size, resize, mean, std, layout, channels, limit } =
    flags;
  const needing = {
    data,
    labels,
    images,
    shape,
    dim,
    samples,
    size,
    resize,
    mean,
    std,
    layout,
    channels,
    limit,
  };
  const [stray] = Object.entries(needing).find(([, value]) => value !== undefined) ?? [];
  if (stray === undefined) return;
  throw new OnnxMishError('bad-usage', `--${stray} is for --keep`, {
    fix: "Say what to keep on the samples: --keep 'agreement>=0.99', or --keep 'sqnr>=30'",
  });
}

function describe({
  form,
  beta,
  sites,
  skipped,
  fold,
  fixes = [],
  notes,
  bytesIn,
  bytesOut,
}: SwapReport): string[] {
  const kinds = [...new Set(sites.map((site) => site.kind))];
  const of = kinds
    .map((kind) => `${integer(sites.filter((site) => site.kind === kind).length)} ${operator(kind)}`)
    .join(', ');
  const mixtures = sites.filter(({ leak }) => leak !== undefined).length;
  const sharpness = beta === 1 ? '' : `, β = ${beta}`;
  return [
    sites.length === 0
      ? '  nothing to swap: the output is the input, byte for byte'
      : `  ${of} → Mish in the ${form} form${sharpness}`,
    ...(mixtures === 0
      ? []
      : [`  of these ${integer(mixtures)} as a mixture, αx + (1 - α)·Mish, which is not Mish itself`]),
    ...describeFold(fold),
    ...describeFixes(fixes),
    ...describeDoubts(sites),
    ...describeSkipped(skipped),
    `  ${integer(bytesIn)} → ${integer(bytesOut)} bytes (+${grown(bytesIn, bytesOut)} %)`,
    ...notes.map((note) => `  note: ${clean(note)}`),
  ];
}

/** By how many percent a file has grown. */
function grown(from: number, to: number): string {
  return (from === 0 ? 0 : (100 * (to - from)) / from).toFixed(2);
}

/** How many sites have their sharpness in weights, and a line for each that has not, as `describeSkipped` gives them. */
function describeFold(fold: SwapReport['fold'], most = 8): string[] {
  if (fold === undefined || fold.folded.length + fold.kept.length === 0) return [];
  const { folded, kept, weights } = fold;
  const all = folded.length + kept.length;
  const lines = [
    `  β folded into weights at ${integer(folded.length)} of ${plural(all, 'site')}; ${plural(weights, 'tensor')} changed`,
    ...kept.slice(0, most).map(({ label, why }) => `  not folded ${clean(label)}: ${clean(why)}`),
  ];
  if (kept.length > most) lines.push(`  not folded ${kept.length - most} more (--json lists all)`);
  return lines;
}

const FIXES: Readonly<Record<FixedNode['fix'], string>> = {
  unfuse: 'a Cast to its own type before it, so that no Conv takes it in',
  keep: 'a Cast to its own type, which stays',
  copy: 'times 1 after it, which puts its elements in place',
  kernel: 'its kernel_shape is written',
  multiply: 'as Mul',
  bound: 'with the largest number as upper bound',
  bias: 'with 0 as third input',
  slice: 'as Slices',
  empty: 'with empty tensors for what it leaves out',
  image: 'as one of images of one column',
  before: 'times 1 before it, so that others read what it reads as it was',
};

/** A line for each node that was written for WebGL, as `describeSkipped` gives them. */
export function describeFixes(fixes: readonly FixedNode[], most = 8): string[] {
  const lines = fixes
    .slice(0, most)
    .map(
      ({ op, label, fix, why }) => `  for WebGL: ${clean(op)} ${clean(label)}: ${FIXES[fix]} (${clean(why)})`,
    );
  if (fixes.length > most) lines.push(`  for WebGL: ${fixes.length - most} more (--json lists all)`);
  return lines;
}

/** ONNX's name of a kind of activation. */
function operator(kind: string): string {
  return KINDS.find(({ name }) => name === kind)?.opType ?? kind;
}

/** One line for each site that is swapped in spite of a doubt. */
export function describeDoubts(sites: readonly SiteReport[], most = 8): string[] {
  const doubtful = sites.filter(({ doubt }) => doubt !== undefined);
  const lines = doubtful
    .slice(0, most)
    .map(({ kind, label, doubt = '' }) => `  doubt at ${operator(kind)} ${clean(label)}: ${clean(doubt)}`);
  if (doubtful.length > most) lines.push(`  doubt at ${doubtful.length - most} more (--json lists all)`);
  return lines;
}

/** One line for each activation that stays, the reasons that repeat counted after the first few. */
export function describeSkipped(skipped: readonly SkipReport[], most = 8): string[] {
  const lines = skipped
    .slice(0, most)
    .map(({ kind, label, why }) => `  kept ${operator(kind)} ${clean(label)}: ${clean(why)}`);
  if (skipped.length > most) lines.push(`  kept ${skipped.length - most} more (--json lists all)`);
  return lines;
}
