import Table from 'cli-table3';
import { createColors } from 'picocolors';
import type { ProviderRow, Report } from '../validate/report.js';

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
  const { models, host, data } = report;
  const mish = models.swapped.mish.map(({ form, beta, elemType, count }) => {
    return `${count} Mish (${form}, ${elemType}${beta === 1 ? '' : `, β ${figure(beta)}`})`;
  });
  const from =
    data.source === 'seed' ? `seeded noise (seed ${data.seed})` : `${data.samples} samples (${data.source})`;
  const lines = [
    `${clean(models.original.name)} against ${clean(models.swapped.name)}: ${mish.join(', ') || 'no Mish in it'}`,
    paint.dim(`ONNX Runtime ${host.onnxruntime}, ${clean(host.cpu)}, ${host.cores} cores; fed with ${from}`),
    '',
    driftTable(report, clean),
    '',
    kernelTable(report, clean),
    '',
    latencyTable(report),
  ];
  const labelled = report.providers.filter((row) => row.accuracy !== null);
  if (labelled.length > 0) lines.push('', accuracyTable(labelled, clean));
  for (const { provider, status, reason, fix } of report.providers) {
    if (status === 'ran') continue;
    const word = status === 'failed' ? paint.red('failed') : paint.yellow('not available');
    lines.push(`${provider}: ${word}: ${clean(reason ?? '')}`);
    if (fix !== null) lines.push(`  ${clean(fix)}.`);
  }
  if (report.verdicts.length > 0) lines.push('');
  for (const { provider, threshold, limit, value, passed } of report.verdicts) {
    const mark = passed ? paint.green('pass') : paint.red('FAIL');
    const sense = threshold.startsWith('max') ? '≤' : '≥';
    lines.push(`${mark}  ${provider} ${threshold}: ${figure(value, 4)} ${sense} ${figure(limit, 4)}`);
  }
  return lines.join('\n');
}

const ran = (report: Report) => report.providers.filter((row) => row.status === 'ran');

function driftTable(report: Report, clean: Clean): string {
  const rows = ran(report).flatMap(({ provider, drift, expected, parity }) => {
    const lines = (what: string, drifts: ProviderRow['drift']) =>
      drifts.map((one) => [provider, `${what} ${clean(one.output)}`, ...driftFigures(one, clean)]);
    return [
      ...lines('drift of', drift),
      ...lines('original against expected', expected ?? []),
      ...lines('original against CPU', parity?.original ?? []),
      ...lines('swapped against CPU', parity?.swapped ?? []),
    ];
  });
  const head = ['provider', 'outputs', 'max abs', 'mean abs', 'RMSE', 'cosine', 'SQNR dB', 'top-1', 'top-5'];
  return plainTable(head, rows);
}

function driftFigures(drift: ProviderRow['drift'][number], clean: Clean): string[] {
  if (drift.problem !== null) return [clean(drift.problem)];
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

function kernelTable(report: Report, clean: Clean): string {
  const rows = ran(report).flatMap(({ provider, kernel }) =>
    kernel.map(({ form, beta, elemType, maxAbs, maxAbsAt, maxUlp, maxUlpAt, problem }) => [
      provider,
      `${form}, ${elemType}${beta === 1 ? '' : `, β ${figure(beta)}`}`,
      ...(problem === null
        ? [figure(maxAbs), figure(maxAbsAt), figure(maxUlp), figure(maxUlpAt)]
        : [clean(problem)]),
    ]),
  );
  if (rows.length === 0) return 'kernel: there is no Mish to measure';
  return plainTable(['provider', 'kernel against float64', 'max abs', 'at x', 'max ulp', 'at x'], rows);
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

function accuracyTable(rows: readonly ProviderRow[], clean: Clean): string {
  const lines = rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { output, original, swapped } = accuracy;
    return [
      [
        provider,
        `original, ${clean(output)}`,
        percent(original.top1),
        percent(original.top5),
        String(original.n),
      ],
      [
        provider,
        `swapped, ${clean(output)}`,
        percent(swapped.top1),
        percent(swapped.top5),
        String(swapped.n),
      ],
    ];
  });
  return plainTable(['provider', 'labelled accuracy', 'top-1', 'top-5', 'samples'], lines);
}
