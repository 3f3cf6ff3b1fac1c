import { Command } from 'commander';
import { type Inspection, inspect, type ValueSummary } from '../mish/inspect.js';
import type { SiteOptions } from '../mish/sites.js';
import { modelArgument } from './files.js';
import { commonOptions, siteOptions } from './options.js';
import { describeSkipped } from './swap.js';
import { clean, columns, integer, plural } from './text.js';

export function command(): Command {
  const command = new Command('inspect')
    .summary('what a model is, and what could be swapped')
    .description(
      'Shows inputs and outputs, the activations that can be swapped, those that cannot and why, and Mish.',
    )
    .argument('<model>', 'an ONNX file; - is standard input');
  siteOptions(command).option('--all', 'list every site rather than the first ones');
  return commonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ onnx-mish inspect model.onnx
  $ onnx-mish inspect model.onnx --json | jq '.operators'`,
    )
    .action(run);
}

async function run(path: string, flags: SiteOptions & { json?: boolean; all?: boolean }): Promise<void> {
  const source = await modelArgument(path);
  try {
    const inspection = await inspect(source, flags);
    console.log(
      flags.json
        ? JSON.stringify({ model: path, ...inspection }, null, 2)
        : describe(path, inspection, flags.all ?? false),
    );
  } finally {
    await source.close();
  }
}

function describe(path: string, model: Inspection, all: boolean): string {
  const most = all ? Number.POSITIVE_INFINITY : 12;
  const domains = Object.entries(model.opsets).filter(([domain]) => domain !== '');
  const others = domains.map(([domain, version]) => `, ${clean(domain)} ${version}`).join('');
  const producer = model.producer === '' ? '' : `, by ${clean(model.producer)}`;
  const operators = Object.entries(model.operators);
  const shown = operators.slice(0, 10).map(([name, count]) => `${clean(name)} ${integer(count)}`);
  if (operators.length > shown.length) shown.push(`and ${operators.length - shown.length} more`);
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
      ...model.externalData.map((location) => ['data in', clean(location)]),
    ]),
  ];

  lines.push('', `${plural(model.sites.length, 'site')} to swap`);
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
      lines.push(`  and ${model.sites.length - rows.length} more (--all lists them)`);
  }
  if (model.skipped.length > 0) {
    lines.push(
      '',
      `${plural(model.skipped.length, 'activation')} to leave alone`,
      ...describeSkipped(model.skipped, most),
    );
  }
  if (model.mish.length > 0) {
    lines.push('', `${integer(model.mish.length)} Mish in it already`);
    const rows = model.mish
      .slice(0, most)
      .map(({ form, beta, leak, elemType, label }) => [
        form,
        `β ${Number(beta.toPrecision(6))}${leak === undefined ? '' : `, mixture with α ${Number(leak.toPrecision(6))}`}`,
        elemType,
        clean(label),
      ]);
    lines.push(columns(rows));
    if (model.mish.length > rows.length)
      lines.push(`  and ${model.mish.length - rows.length} more (--all lists them)`);
  }
  for (const { operation, version, form, beta, mixtures, sites } of model.history) {
    const sharpness = beta === undefined ? '' : `, β ${beta}`;
    const mixed = mixtures === undefined ? '' : `, ${integer(mixtures)} of them mixtures`;
    lines.push(
      '',
      `${operation} by onnx-mish ${clean(version)}: ${plural(sites, 'site')}${mixed}, ${clean(form)} form${sharpness}`,
    );
  }
  return lines.join('\n');
}

function signature({ name, elemType, dims }: ValueSummary): string {
  const shape = dims === undefined ? '[…]' : `[${dims.map((dim) => clean(String(dim ?? '?'))).join(', ')}]`;
  return `${clean(name)}: ${elemType} ${shape}`;
}
