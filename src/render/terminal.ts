import Table from 'cli-table3';
import { createColors } from 'picocolors';
import { integer, plural } from '../base/plural.js';
import { comparableSqnr } from '../metrics/drift.js';
import { activationLabel } from '../mish/activations.js';
import type { LayerComparison, ProviderRow, Report, Verdict } from '../validate/report-schema.js';
import { clean as cleanText } from './clean.js';
import type { Comparison } from './compare.js';
import {
  accuracyMeasures,
  activation,
  differenceWithInterval,
  figure,
  firstMeasures,
  joinSections,
  judgedOutput,
  mishName,
  percent,
  safeText,
  short,
  signalText,
  verdictText,
  verdictWord,
} from './figures.js';
import { remarks } from './remarks.js';
import { ratioText, SOFTWARE, summarise } from './summary.js';

/** Options of the renderings for a terminal. */
export interface TerminalOptions {
  /** Whether to colour verdicts; default false. */
  readonly colour?: boolean | undefined;
  /** Makes names from a model safe to print; default: escapes characters that act on a terminal. */
  readonly clean?: ((text: string) => string) | undefined;
}

/** Formats a table without borders. The first `leftColumns` columns are aligned left, the others right. */
export function plainTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  leftColumns = 2,
): string {
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
    colAligns: head.map((_, index) => (index < leftColumns ? 'left' : 'right')),
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Lists the activations that the swapped model has more of than the original. */
function addedActivations({ original, swapped }: Report['models']): string {
  const added = Object.entries(swapped.activationCounts ?? {}).flatMap(([kind, count]) => {
    const more = count - (original.activationCounts?.[kind] ?? 0);
    return more > 0 ? `${integer(more)} ${activationLabel(kind)}` : [];
  });
  return added.join(', ') || 'no Mish';
}

/**
 * Renders a report as text for a terminal.
 *
 * @example
 * import { renderTerminal } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * console.log(renderTerminal(await validateFiles('model.onnx', 'model.mish.onnx'), { colour: true }));
 */
export function renderTerminal(
  report: Report,
  { colour = false, clean = cleanText }: TerminalOptions = {},
): string {
  const paint = createColors(colour);
  const safe = safeText(report, clean);
  const { models, host, data } = safe;
  const mish = models.swapped.mish.map(({ count, elemType, ...one }) => {
    return `${integer(count)} ${mishName(one, elemType)}`;
  });
  const from =
    data.source === 'seed'
      ? `seeded noise (seed ${data.seed})`
      : `${plural(data.samples, 'sample')} (${data.source})`;
  const labelled = safe.providers.filter((row) => row.accuracy !== null);
  const sections = [
    [
      `${short(models.original.name)} against ${short(models.swapped.name)}: ${mish.join(', ') || addedActivations(models)}`,
      paint.dim(`ONNX Runtime ${host.onnxruntime}, ${host.cpu}, ${host.cores} cores; inputs: ${from}`),
      ...failures(safe, paint),
    ],
    [summaryTable(safe, paint)],
    ...(ran(safe).length > 0 ? [[driftTable(safe)], [kernelTable(safe)], [latencyTable(safe)]] : []),
    labelled.length > 0 ? [accuracyTable(labelled)] : [],
    safe.notes,
    safe.providers.flatMap(remarks),
    ...safe.layers.map(layersSection),
    safe.verdicts.filter((verdict) => !isFailure(verdict)).map((verdict) => verdictLine(verdict, paint)),
    safe.conclusion === undefined ? [] : [safe.conclusion],
  ];
  return joinSections(sections);
}

/**
 * Renders the differences between two reports as text: warnings, then a table for each provider.
 *
 * @example
 * import { compareReports, renderComparison } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * const before = await validateFiles('model.onnx', 'softplus.onnx');
 * console.log(renderComparison(compareReports(before, await validateFiles('model.onnx', 'exp.onnx'))));
 */
export function renderComparison(
  comparison: Comparison,
  { colour = false, clean = cleanText }: TerminalOptions = {},
): string {
  const paint = createColors(colour);
  const { warnings, general, providers } = safeText(comparison, clean);
  const sections = [
    { title: 'report', changes: general },
    ...providers.map(({ provider, changes }) => ({ title: provider, changes })),
  ].map(({ title, changes }) => {
    const rows = changes.filter(({ same }) => !same);
    const alike = changes.length - rows.length;
    const rest = alike === 0 ? [] : [`unchanged: ${integer(alike)} of ${integer(changes.length)}`];
    if (rows.length === 0) return `${title}: ${rest.join()}`;
    const cells = rows.map(({ what, a, b, change }) => [short(what), short(a), short(b), change]);
    return [plainTable([title, 'before', 'after', 'change'], cells, 3), ...rest].join('\n');
  });
  return [...warnings.map((warning) => `${paint.yellow('differs')}  ${warning}`), ...sections].join('\n\n');
}

type Paint = ReturnType<typeof createColors>;

const isFailure = (verdict: Verdict) => verdictWord(verdict) === 'FAIL';

function verdictLine(verdict: Verdict, paint: Paint): string {
  return `${painted(paint, verdictWord(verdict))}  ${verdict.provider} ${verdictText(verdict)}`;
}

/** Returns a line for each provider that failed, and for each limit that is not kept. */
function failures({ providers, verdicts }: Report, paint: Paint): string[] {
  return [
    ...providers
      .filter(({ status }) => status === 'failed')
      .map(({ provider, reason }) => `${painted(paint, 'failed')}  ${provider}: ${reason ?? ''}`),
    ...verdicts.filter(isFailure).map((verdict) => verdictLine(verdict, paint)),
  ];
}

/** Colours a verdict. */
function painted(paint: Paint, word: string): string {
  if (word === 'pass') return paint.green(word);
  if (word === 'FAIL' || word === 'failed') return paint.red(word);
  return word === 'ran' ? word : paint.yellow(word);
}

function summaryTable(report: Report, paint: Paint): string {
  if (report.providers.length === 0) return 'no provider was requested';
  const summaries = summarise(report);
  const software = summaries.some((row) => row.software);
  const rows = summaries.map((row) => [
    ...[row.provider, painted(paint, row.verdict)],
    ...[row.drift, row.parity, row.kernel, row.original, row.swapped, row.ratio],
    ...(software ? [row.software ? 'software' : ''] : []),
  ]);
  const head = ['provider', 'verdict', 'drift dB', 'parity dB', 'kernel', 'p50 ms', 'swapped', 'ratio'];
  return plainTable(software ? [...head, 'rendering'] : head, rows);
}

/** Number of tensors that the list of differences shows. */
const MAX_LISTED_LAYERS = 5;

/** Lists the tensors at which two models differ most, worst first. */
function layersSection({ a, b, runs, rows }: LayerComparison): string[] {
  const of = `${b.model} on ${b.provider} against ${a.model} on ${a.provider}`;
  const worst = rows
    .filter(({ maxAbs }) => maxAbs !== null && maxAbs > 0)
    .toSorted((one, other) => comparableSqnr(one) - comparableSqnr(other) || 0) // ∞ − ∞ is NaN
    .slice(0, MAX_LISTED_LAYERS);
  const problems = rows.filter(({ problem }) => problem !== null);
  const [first] = problems;
  const parts = [
    `${plural(rows.length, 'tensor')}${runs === undefined ? '' : ` in the first ${runs === 1 ? 'run' : plural(runs, 'run')}`}`,
    ...(first === undefined
      ? []
      : [
          `${integer(problems.length)} of them not comparable, such as ${short(first.node)} (${first.op}): ${first.problem}`,
        ]),
    ...(rows.every(({ maxAbs }) => maxAbs === 0) ? ['all identical'] : []),
  ];
  const line = `layers of ${of}: ${parts.join(', ')}`;
  if (worst.length === 0) return [line];
  const cells = worst.map(({ node, op, a: reference, sqnr, cosine, maxAbs }) => {
    const scale = reference && Math.max(Math.abs(reference.min), Math.abs(reference.max));
    return [short(node), op, signalText({ sqnr, maxAbs, scale }), figure(cosine), figure(maxAbs)];
  });
  return [line, plainTable(['largest difference at', 'operator', 'SQNR dB', 'cosine', 'max abs'], cells)];
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
  const head = [
    'provider',
    'outputs',
    'max abs',
    'mean abs',
    'RMSE',
    'cosine',
    'SQNR dB',
    'same top-1',
    'same top-5',
  ];
  const rows = lines.map(({ provider, what, one }) => [provider, what, ...driftFigures(one)]);
  const problems = lines.map(({ provider, what, one: { problem } }) => ({ provider, what, problem }));
  return [plainTable(head, rows), ...explained(problems)].join('\n');
}

/** Returns a line for each row without figures, with the reason. */
function explained(
  rows: readonly { readonly provider: string; readonly what: string; readonly problem: string | null }[],
): string[] {
  return rows.flatMap(({ provider, what, problem }) =>
    problem === null ? [] : [`${provider}  ${what}: ${problem}`],
  );
}

function driftFigures(drift: ProviderRow['drift'][number]): string[] {
  return [
    drift.broken > 0 ? `${integer(drift.broken)} not finite` : figure(drift.maxAbs),
    figure(drift.meanAbs),
    figure(drift.rmse),
    figure(drift.cosine, 4),
    signalText(drift),
    percent(drift.top1),
    percent(drift.top5),
  ];
}

function kernelTable(report: Report): string {
  const lines = ran(report).flatMap(({ provider, kernel }) =>
    kernel.map((one) => {
      return { provider, what: `${activation(one)}, ${one.elemType}`, one };
    }),
  );
  if (lines.length === 0) return 'kernel: the model has no Mish to measure';
  const rows = lines.map(({ provider, what, one }) => [
    provider,
    what,
    ...[one.maxAbs, one.maxAbsAt, one.maxUlp, one.maxUlpAt].map((value) => figure(value)),
    one.problem === null ? integer(one.broken) : '–',
  ]);
  const head = ['provider', 'kernel against float64', 'max abs', 'at x', 'max ulp', 'at x', 'not finite'];
  const problems = lines.map(({ provider, what, one: { problem } }) => ({ provider, what, problem }));
  return [plainTable(head, rows), ...explained(problems)].join('\n');
}

function latencyTable(report: Report): string {
  const rows = ran(report).flatMap(({ provider, latency, runtime }) => {
    if (latency === null) return [];
    const { original, swapped, ratio, n } = latency;
    const mark = runtime?.software ? `, ${SOFTWARE}` : '';
    const line = (name: string, { p50, p90, p99, mean, firstMs, createMs }: typeof original) => [
      provider,
      `${name}${mark}`,
      ...[p50, p90, p99, mean, firstMs, createMs].map((value) => figure(value)),
    ];
    const interval = `${ratioText(ratio).slice(0, -1)}, ${plural(n, 'pair')})`;
    return [line('original', original), [...line('swapped', swapped), interval]];
  });
  if (rows.length === 0) return 'latency: not measured';
  return plainTable(
    ['provider', 'latency in ms', 'p50', 'p90', 'p99', 'mean', 'first', 'create', 'ratio'],
    rows,
  );
}

function accuracyTable(rows: readonly ProviderRow[]): string {
  const measures = firstMeasures(rows);
  const lines = rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { output, threshold, difference } = accuracy;
    const of = (model: 'original' | 'swapped') => {
      return [
        provider,
        `${model}, ${judgedOutput(short(output), threshold)}`,
        ...accuracyMeasures(accuracy[model]).map(({ text }) => text),
        integer(accuracy[model].n),
      ];
    };
    const change =
      difference === undefined
        ? []
        : [
            [
              provider,
              'swapped minus original',
              differenceWithInterval(difference),
              ...measures.map(() => ''),
            ],
          ];
    return [of('original'), of('swapped'), ...change];
  });
  const head = measures.map(({ name, hasInterval }) => (hasInterval ? `${name} (95 %)` : name));
  return plainTable(['provider', 'labelled accuracy', ...head, 'samples'], lines);
}
