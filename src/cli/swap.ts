import { Command, Option } from 'commander';
import { KINDS } from '../mish/kinds.js';
import { parsePlan, planOf } from '../mish/plan.js';
import type { SkipReport, SwapReport } from '../mish/report.js';
import { type SwapOptions, swapDocument } from '../mish/swap.js';
import { type FileOptions, swapFile } from '../node/transform.js';
import { OnnxMishError } from '../onnx/error.js';
import { scan } from '../onnx/scan.js';
import { interruptible } from './exit.js';
import { modelArgument, outputArgument, piped, readJson } from './files.js';
import { commonOptions, formOptions, number, outputOptions, siteOptions } from './options.js';
import { progress } from './progress.js';
import { say, sayJson } from './say.js';
import { clean, describeCopied, integer } from './text.js';

interface Flags extends SwapOptions, FileOptions {
  dryRun?: boolean;
  plan?: never;
  json?: boolean;
}

export function command(): Command {
  const swap = new Command('swap')
    .summary('replace activations with Mish')
    .description('Replaces ReLU and LeakyReLU nodes with Mish. Every other byte of the model stays as it is.')
    .argument('<model>', 'an ONNX file; - is standard input');
  outputOptions(swap, '<model>.mish.onnx');
  formOptions(swap);
  swap.option('--beta <number>', 'sharpness β of x·tanh(softplus(βx)): 1 is Mish, ReLU is the limit', number);
  const plan = new Option('--plan <file>', 'swap the sites that an edited plan lists, as it says');
  plan.conflicts(['form', 'target', 'beta', 'only', 'include', 'exclude']);
  siteOptions(swap)
    .option('--dry-run', 'write nothing; with --json print a plan that --plan takes')
    .addOption(plan)
    .option('--strict', 'fail (exit code 1) when an activation had to be left alone')
    .option('--no-undo', 'leave out the record from which `undo` restores the original');
  return commonOptions(swap)
    .addHelpText(
      'after',
      `
Forms:
  softplus  Softplus, Tanh, Mul: the textbook subgraph; best on GPUs (the default)
  exp       the same function exactly; the fast one on CPU and WASM, the only one on WebGL
  native    ONNX's Mish operator, from opset 18 on

Examples:
  $ onnx-mish swap model.onnx
  $ onnx-mish swap model.onnx --target webgl -o public/model.onnx
  $ onnx-mish swap model.onnx --only leakyrelu --exclude '/head/*'
  $ onnx-mish swap model.onnx --dry-run --json > plan.json
  $ onnx-mish swap model.onnx --plan plan.json
  $ cat model.onnx | onnx-mish swap - -o - > swapped.onnx`,
    )
    .action(run);
}

async function run(input: string, flags: Omit<Flags, 'plan'> & { plan?: string }): Promise<void> {
  if (input === '-' && flags.plan === '-') {
    throw new OnnxMishError('bad-usage', 'model and plan cannot both come from standard input', {
      fix: 'Name a file for one of them',
    });
  }
  const plan = flags.plan === undefined ? undefined : parsePlan(await readJson(flags.plan), flags.plan);
  if (flags.dryRun) return dryRun(input, { ...flags, plan }, flags.json ?? false);

  const output = outputArgument(input, flags.output);
  const bar = progress('writing');
  const options = { ...flags, plan, signal: interruptible(), onProgress: bar.update };
  const { report, ...written } = await (input === '-' || output === '-'
    ? piped(input, output ?? '-', options, (document) => swapDocument(document, options))
    : swapFile(input, options)
  ).finally(bar.end);
  if (flags.json) sayJson({ input, ...written, ...report });
  else say(describe(report, input, written.output, written.copied));
}

async function dryRun(input: string, options: SwapOptions, json: boolean): Promise<void> {
  const source = await modelArgument(input);
  try {
    const { report } = await swapDocument(await scan(source), options);
    if (json) sayJson(planOf(report));
    else say(describe(report, input, undefined, []));
  } finally {
    await source.close();
  }
}

function describe(
  report: SwapReport,
  input: string,
  output: string | undefined,
  copied: readonly string[],
): string {
  const { form, beta, sites, skipped, notes, bytesIn, bytesOut } = report;
  const lines = [
    output === undefined
      ? `${clean(input)}: nothing written (dry run)`
      : `${clean(input)} → ${clean(output)}`,
  ];
  const kinds = [...new Set(sites.map((site) => site.kind))];
  const of = kinds
    .map((kind) => `${integer(sites.filter((site) => site.kind === kind).length)} ${operator(kind)}`)
    .join(', ');
  const sharpness = beta === 1 ? '' : `, β = ${beta}`;
  lines.push(
    sites.length === 0
      ? '  nothing to swap: the output is the input, byte for byte'
      : `  ${of} → Mish in the ${form} form${sharpness}`,
  );
  lines.push(...describeSkipped(skipped));
  const grown = bytesIn === 0 ? 0 : (100 * (bytesOut - bytesIn)) / bytesIn;
  lines.push(`  ${integer(bytesIn)} → ${integer(bytesOut)} bytes (+${grown.toFixed(2)} %)`);
  lines.push(...describeCopied(copied));
  for (const note of notes) lines.push(`  note: ${note}`);
  return lines.join('\n');
}

/** ONNX's name of a kind of activation. */
function operator(kind: string): string {
  return KINDS.find(({ name }) => name === kind)?.opType ?? kind;
}

/** One line for each activation that stays, the reasons that repeat counted after the first few. */
export function describeSkipped(skipped: readonly SkipReport[], most = 8): string[] {
  const lines = skipped
    .slice(0, most)
    .map(({ kind, label, why }) => `  kept ${operator(kind)} ${clean(label)}: ${clean(why)}`);
  if (skipped.length > most) lines.push(`  kept ${skipped.length - most} more (--json lists all)`);
  return lines;
}
