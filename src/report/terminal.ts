import Table from 'cli-table3';
import { createColors } from 'picocolors';
import type { KernelSweep, ProviderRow, Report } from '../validate/report.js';

/** Text from a model, harmless on a terminal. */
type Clean = (text: string) => string;

export interface TerminalOptions {
  /** Whether to colour verdicts. */
  readonly colour: boolean;
  /** Makes names that come from a model safe to print. */
  readonly clean: Clean;
}

/** A number in at most three significant digits; `–` for none. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace('e+', 'e');
  return String(Number(value.toPrecision(digits)));
}

/** `98.2 %`. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${figure(100 * share)} %`;
}

/** A plain table: no borders but a line under the head. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
  ];
  const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
  const table = new Table({
    head: [...head],
    chars: { ...Object.fromEntries([...none, ...inner].map((name) => [name, ''])), middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, index) => (index < 2 ? 'left' : 'right')),
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** The report for a terminal: what was compared, a line per provider and output, the verdicts. */
export function renderTerminal(report: Report, { colour, clean }: TerminalOptions): string {
  const paint = createColors(colour);
  const safe = cleaned(report, clean) as Report;
  const { models, host, data } = safe;
  const mish = models.swapped.mish.map(({ form, beta, elemType, count }) => {
    return `${count} Mish (${form}, ${elemType}${beta === 1 ? '' : `, β ${figure(beta)}`})`;
  });
  const from =
    data.source === 'seed' ? `seeded noise (seed ${data.seed})` : `${data.samples} samples (${data.source})`;
  const lines = [
    `${short(models.original.name)} against ${short(models.swapped.name)}: ${mish.join(', ') || 'no Mish in it'}`,
    paint.dim(`ONNX Runtime ${host.onnxruntime}, ${host.cpu}, ${host.cores} cores; fed with ${from}`),
    '',
    driftTable(safe),
    '',
    kernelTable(safe),
    '',
    latencyTable(safe),
  ];
  const labelled = safe.providers.filter((row) => row.accuracy !== null);
  if (labelled.length > 0) lines.push('', accuracyTable(labelled));
  const absent = safe.providers.filter((row) => row.status !== 'ran');
  if (absent.length > 0) lines.push('');
  for (const { provider, status, reason, fix } of absent) {
    const word = status === 'failed' ? paint.red('failed') : paint.yellow('not available');
    lines.push(`${provider}: ${word}: ${reason ?? ''}`);
    if (fix !== null) lines.push(`  ${fix}.`);
  }
  if (safe.verdicts.length > 0) lines.push('');
  for (const { provider, threshold, limit, value, passed } of safe.verdicts) {
    const mark = passed ? paint.green('pass') : paint.red('FAIL');
    const sense = threshold.startsWith('max') ? '≤' : '≥';
    lines.push(`${mark}  ${provider} ${threshold}: ${measured(value)} ${sense} ${figure(limit, 4)}`);
  }
  return lines.join('\n');
}

/** The same value with every text in it made harmless: a report may have been read from a file. */
function cleaned(value: unknown, clean: Clean): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map((item) => cleaned(item, clean));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cleaned(item, clean)]));
}

const LONGEST = 60;

/** A name that is too long for a line, with its middle left out. */
function short(name: string): string {
  const characters = [...name];
  if (characters.length <= LONGEST) return name;
  const half = (LONGEST - 2) / 2;
  return `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
}

/** The value of a verdict; identical outputs have an SQNR beyond every number. */
function measured(value: number | null): string {
  if (value === null) return 'not measured';
  return value === Number.MAX_VALUE ? 'exact' : figure(value, 4);
}

const ran = (report: Report) => report.providers.filter((row) => row.status === 'ran');

function driftTable(report: Report): string {
  const lines = ran(report).flatMap(({ provider, drift, expected, parity }) => {
    const each = (what: string, drifts: ProviderRow['drift']) =>
      drifts.map((one) => ({ provider, what: `${what} ${short(one.output)}`, one }));
    return [
      ...each('drift of', drift),
      ...each('original against expected', expected ?? []),
      ...each('original against CPU', parity?.original ?? []),
      ...each('swapped against CPU', parity?.swapped ?? []),
    ];
  });
  const head = ['provider', 'outputs', 'max abs', 'mean abs', 'RMSE', 'cosine', 'SQNR dB', 'top-1', 'top-5'];
  const rows = lines.map(({ provider, what, one }) => [provider, what, ...driftFigures(one)]);
  const problems = lines.map(({ provider, what, one: { problem } }) => ({ provider, what, problem }));
  return [plainTable(head, rows), ...explained(problems)].join('\n');
}

/** A line for each row that has no figures, with the reason, which is too long for a column. */
function explained(
  rows: readonly { readonly provider: string; readonly what: string; readonly problem: string | null }[],
): string[] {
  return rows.flatMap(({ provider, what, problem }) =>
    problem === null ? [] : [`${provider}  ${what}: ${problem}`],
  );
}

function driftFigures(drift: ProviderRow['drift'][number]): string[] {
  return [
    drift.broken > 0 ? `${drift.broken} not finite` : figure(drift.maxAbs),
    figure(drift.meanAbs),
    figure(drift.rmse),
    figure(drift.cosine, 4),
    drift.maxAbs === 0 ? 'exact' : figure(drift.sqnr),
    percent(drift.top1),
    percent(drift.top5),
  ];
}

/** `Mish (exp form)`, `LeakyReLU (0.1)`: what a sweep measured. */
export function activation({ kind, form, beta, alpha }: KernelSweep): string {
  if (kind === 'relu') return 'ReLU';
  if (kind === 'leakyrelu') return `LeakyReLU (${figure(alpha)})`;
  return `Mish (${form}${beta === 1 ? '' : `, β ${figure(beta)}`})`;
}

function kernelTable(report: Report): string {
  const lines = ran(report).flatMap(({ provider, kernel }) =>
    kernel.map((one) => {
      return { provider, what: `${activation(one)}, ${one.elemType}`, one };
    }),
  );
  if (lines.length === 0) return 'kernel: there is no Mish to measure';
  const rows = lines.map(({ provider, what, one }) => [
    provider,
    what,
    ...[one.maxAbs, one.maxAbsAt, one.maxUlp, one.maxUlpAt].map((value) => figure(value)),
    one.problem === null ? String(one.broken) : '–',
  ]);
  const head = ['provider', 'kernel against float64', 'max abs', 'at x', 'max ulp', 'at x', 'not finite'];
  const problems = lines.map(({ provider, what, one: { problem } }) => ({ provider, what, problem }));
  return [plainTable(head, rows), ...explained(problems)].join('\n');
}

function latencyTable(report: Report): string {
  const rows = ran(report).flatMap(({ provider, latency }: ProviderRow) => {
    if (latency === null) return [];
    const { original, swapped, ratio, n } = latency;
    const line = (name: string, { p50, p90, p99, mean, firstMs, createMs }: typeof original) => [
      provider,
      name,
      ...[p50, p90, p99, mean, firstMs, createMs].map((value) => figure(value)),
    ];
    const interval = `${figure(ratio.value)} × (${figure(ratio.low)} to ${figure(ratio.high)}, ${n} pairs)`;
    return [line('original', original), [...line('swapped', swapped), interval]];
  });
  if (rows.length === 0) return 'latency: not measured';
  return plainTable(
    ['provider', 'latency in ms', 'p50', 'p90', 'p99', 'mean', 'first', 'create', 'ratio'],
    rows,
  );
}

function accuracyTable(rows: readonly ProviderRow[]): string {
  const lines = rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { output, original, swapped } = accuracy;
    return [
      [
        provider,
        `original, ${short(output)}`,
        percent(original.top1),
        percent(original.top5),
        String(original.n),
      ],
      [
        provider,
        `swapped, ${short(output)}`,
        percent(swapped.top1),
        percent(swapped.top5),
        String(swapped.n),
      ],
    ];
  });
  return plainTable(['provider', 'labelled accuracy', 'top-1', 'top-5', 'samples'], lines);
}
