import { Command } from 'commander';
import { scanFile } from '../../files/scan-file.js';
import { checkedBy } from '../../files/unchanged.js';
import type { Inspection, ValueSummary } from '../../mish/inspect.js';
import { inspectDocument } from '../../mish/inspect-document.js';
import { notesOnInspection } from '../../mish/inspection-notes.js';
import { modelArgument } from '../io/files.js';
import { dataOptions, refuseSampleOptions } from '../options/data-options.js';
import { GROUPS } from '../options/groups.js';
import { chooseModels, MANY_HELP, manyOptions, refuseForMany } from '../options/many-options.js';
import { commonOptions, configOptions, dataAccess, siteOptions, some, toOption } from '../options/options.js';
import { describeDoubts, describeSkipped, within } from '../text/describe-swap.js';
import { withFlags } from '../text/flags.js';
import { say, sayJson } from '../text/say.js';
import { clean, columns, integer, plural } from '../text/text.js';
import type { Flags } from './inspect-flags.js';

export function command(): Command {
  const command = new Command('inspect')
    .summary('show a model, and the sites that can be swapped')
    .description(
      'Shows inputs and outputs, the activations that can be swapped, those that cannot and why, and Mish. With samples, also statistics of each activation’s input: dead units, spread, share in Mish’s dip.',
    );
  siteOptions(toOption(command, 'activation that a swap would write (default: mish); silu is swish'));
  dataOptions(command, 'random for noise; without samples the model is not run')
    .option('--samples <number>', 'maximal number of samples (default: 256; 32 for noise)', some)
    .optionsGroup(GROUPS.output)
    .option(
      '--report <file>',
      'write the statistics as a single self-contained HTML file; - is standard output',
    )
    .option('-f, --force', 'overwrite the report if it exists')
    .option('--all', 'list every site, not only the first');
  manyOptions(command, { writes: false });
  return commonOptions(configOptions(dataAccess(command)))
    .addHelpText(
      'after',
      `
The sites are those that swap replaces without further options. With --form, --leaky, --beta or --int8, swap may skip more
of them, or replace others; swap --dry-run shows which, and writes nothing.

With samples (--data or --images) the model is run on the CPU, and for each site that could be swapped, in the main
graph, it is shown what goes into the activation:
  never    the share of units (channels, or features after MatMul and Gemm) that are never above 0: dead under ReLU
  rarely   the share of units above 0 in less than 1 % of their elements, those that never are among them
  in dip   the share of inputs with -2.5 < x < 0, where Mish dips below 0
  bends    the share of inputs with |x| < 4, where Mish is curved
  through  what Mish lets through below 0: the sum of |mish(x) - f(x)| over x < 0, as a share of the sum of |f(x)|
           over all x, where f is the activation as it is: ReLU, which lets nothing through, or LeakyReLU
--json adds an \`activations\` object (onnx-mish/activations@1) with histograms, --report a page that draws them.
${MANY_HELP}

Examples:
  $ onnx-mish inspect model.onnx
  $ onnx-mish inspect model.onnx --json | jq ".operators"
  $ onnx-mish inspect "zoo/**/*.onnx"
  $ onnx-mish inspect model.onnx --data samples.npz --report activations.html
  $ onnx-mish inspect model.onnx --images photos --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  $ onnx-mish inspect model.onnx --data random --dim batch=1 --json | jq ".activations.sites"`,
    )
    .action(run);
}

async function run(models: readonly string[], flags: Flags, command: Command): Promise<void> {
  const chosen = chooseModels(models, flags, command);
  if ('many' in chosen) {
    refuseForMany(flags, ['data', 'images'], command);
    checkStray(command);
    const { inspectMany } = await import('./inspect-many.js'); // loaded late: the table library is slow to load
    return inspectMany(chosen.many, flags);
  }
  const path = chosen.one;
  if (flags.data !== undefined || flags.images !== undefined) {
    const { inspectWithData: measure } = await import('./inspect-data.js'); // loaded late: ONNX Runtime is slow to load
    return measure(path, flags, (inspection) => describe(path, inspection, flags.all ?? false));
  }
  checkStray(command);
  const source = await modelArgument(path);
  try {
    const inspection = await checkedBy(source.checkUnchanged, async () =>
      inspectDocument(await scanFile(path, source, flags), flags),
    );
    if (flags.json) sayJson({ model: path, ...inspection });
    else say(describe(path, inspection, flags.all ?? false));
  } finally {
    await source.close();
  }
}

/** Throws `bad-usage` if an option is given that needs samples. */
function checkStray(command: Command): void {
  const fix = 'Give samples with --data samples.npz or --images folder';
  refuseSampleOptions(command, 'samples to run the model on', fix);
}

function describe(path: string, model: Inspection, all: boolean): string {
  const most = all ? Number.POSITIVE_INFINITY : 12;
  const domains = Object.entries(model.opsets).filter(([domain]) => domain !== '');
  const others = domains.map(([domain, version]) => `, ${clean(domain)} ${version}`).join('');
  const producer = model.producer === '' ? '' : `, by ${clean(model.producer)}`;
  const operators = Object.entries(model.operators);
  const shown = operators.slice(0, 10).map(([name, count]) => `${clean(name)} ${integer(count)}`);
  if (operators.length > shown.length) shown.push(`and ${integer(operators.length - shown.length)} more`);
  const kinds = Object.entries(model.kinds)
    .map(([kind, count]) => `${kind} ${integer(count)}`)
    .join(', ');
  const inside = [
    ...(model.nestedGraphs > 0 ? [plural(model.nestedGraphs, 'nested graph')] : []),
    ...(model.functions > 0 ? [plural(model.functions, 'function')] : []),
  ];
  const lines = [
    `${clean(path)}: ${integer(model.bytes)} bytes, opset ${model.opset}${others}, IR ${model.irVersion}${producer}`,
    columns([
      ...model.inputs.map((value) => ['input', signature(value)]),
      ...model.outputs.map((value) => ['output', signature(value)]),
      ['nodes', [integer(model.nodes), ...inside].join(', ')],
      ['operators', shown.join(', ')],
      ...(kinds === '' ? [] : [['activations', kinds]]),
      ...model.externalData.map((location) => ['data in', clean(location)]),
    ]),
  ];

  lines.push('', `${plural(model.sites.length, 'site')} to swap`);
  for (const { text, option } of notesOnInspection(model))
    lines.push(`  note: ${clean(withFlags(text, option))}`);
  if (model.sites.length > 0) {
    const rows = model.sites
      .slice(0, most)
      .map(({ kind, alpha, elemType, label }) => [
        kind,
        alpha === undefined
          ? ''
          : `α ${typeof alpha === 'number' ? Number(alpha.toPrecision(6)) : clean(alpha)}`,
        elemType,
        clean(label),
      ]);
    lines.push(columns(rows));
    if (model.sites.length > rows.length)
      lines.push(`  and ${integer(model.sites.length - rows.length)} more (--all lists them)`);
    lines.push(...describeDoubts(model.sites, most));
  }
  if (model.skipped.length > 0) {
    lines.push(
      '',
      `${plural(model.skipped.length, 'activation')} to leave alone`,
      ...describeSkipped(model.skipped, most),
    );
  }
  lines.push(...describeMish(model.mish, most));
  for (const { operation, version, form, bound, to, beta, mixtures, folded, int8, sites } of model.history) {
    const sharpness = beta === undefined ? '' : `, β ${beta}`;
    const inWeights = folded === undefined ? '' : `, at ${plural(folded, 'site')} in the weights`;
    const mixed = mixtures === undefined ? '' : `, ${integer(mixtures)} of them mixtures`;
    const way = int8 === undefined ? '' : `, int8 ${clean(int8)}`;
    lines.push(
      '',
      `${operation} by onnx-mish ${clean(version)}: ${plural(sites, operation === 'calibrate' ? 'layer' : 'site')}${mixed}${to === undefined ? '' : ` to ${clean(to)}`}, ${clean(form)} form${within(bound)}${sharpness}${inWeights}${way}`,
    );
  }
  return lines.join('\n');
}

/** Describes up to `most` Mish, a line each, with the bounds of approximate forms. */
function describeMish(mish: Inspection['mish'], most: number): string[] {
  if (mish.length === 0) return [];
  const isApproximate = mish.some(({ bound }) => bound !== undefined);
  const rows = mish
    .slice(0, most)
    .map(({ form, beta, leak, elemType, label, bound }) => [
      form,
      `β ${Number(beta.toPrecision(6))}${leak === undefined ? '' : `, mixture with α ${Number(leak.toPrecision(6))}`}`,
      elemType,
      ...(isApproximate ? [bound === undefined ? 'exact' : `within ${Number(bound.toPrecision(3))}`] : []),
      clean(label),
    ]);
  const more = mish.length - rows.length;
  return [
    '',
    `${integer(mish.length)} Mish in it already`,
    columns(rows),
    ...(more > 0 ? [`  and ${integer(more)} more (--all lists them)`] : []),
  ];
}

function signature({ name, elemType, dims }: ValueSummary): string {
  const shape = dims === undefined ? '[…]' : `[${dims.map((dim) => clean(String(dim ?? '?'))).join(', ')}]`;
  return `${clean(name)}: ${elemType} ${shape}`;
}
