import { plural } from '../base/plural.js';
import type { Drift } from '../metrics/drift.js';
import type { ProviderRow, Report } from '../validate/report-schema.js';
import {
  accuracyMeasures,
  activation,
  figure,
  isRequested,
  sqnrOf,
  verdictText,
  verdictWord,
} from './figures.js';
import { ratioText, SOFTWARE } from './summary.js';

/** One figure of both reports as text, with the difference. */
export interface Change {
  readonly what: string;
  readonly a: string;
  readonly b: string;
  /** The difference: `× 1.08`, `+2.1 dB`; empty for values that are not numbers. */
  readonly change: string;
  /** Whether both reports have the same value. */
  readonly same: boolean;
}

/** The figures of one provider in both reports. */
export interface ProviderComparison {
  readonly provider: string;
  readonly changes: readonly Change[];
}

/** The differences between two reports. */
export interface Comparison {
  readonly schema: 'onnx-mish/comparison@1';
  /** Reasons, besides the models, why figures differ: other data, hosts or versions. */
  readonly warnings: readonly string[];
  /** Whether limits were kept, or the conclusion where none was set, and the two models. */
  readonly general: readonly Change[];
  readonly providers: readonly ProviderComparison[];
}

/**
 * Compares two reports, the earlier one first. Reports with different data or hosts are compared too, with a warning.
 *
 * @example
 * import { compareReports } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * const before = await validateFiles('model.onnx', 'softplus.onnx');
 * const after = await validateFiles('model.onnx', 'exp.onnx');
 * console.log(compareReports(before, after).warnings);
 */
export function compareReports(a: Report, b: Report): Comparison {
  const names = [...new Set([...a.providers, ...b.providers].map(({ provider }) => provider))];
  return {
    schema: 'onnx-mish/comparison@1',
    warnings: warnings(a, b),
    general: general(a, b),
    providers: names.map((provider) => ({ provider, changes: providerChanges(provider, a, b) })),
  };
}

function warnings(a: Report, b: Report): string[] {
  const differ = (what: string, one: string | number, other: string | number) =>
    one === other ? [] : [`${what}: ${one} and ${other}`];
  const feeds =
    a.data.sha256 === b.data.sha256
      ? []
      : [
          `The models were fed with different data (${describeData(a)}, and ${describeData(b)}): drift and accuracy are not comparable`,
        ];
  const hosts = [
    ...differ('processor', a.host.cpu, b.host.cpu),
    ...differ('cores', a.host.cores, b.host.cores),
    ...differ('system', `${a.host.os} ${a.host.arch}`, `${b.host.os} ${b.host.arch}`),
    ...differ('Node', a.host.node, b.host.node),
    ...differ('ONNX Runtime', a.host.onnxruntime, b.host.onnxruntime),
  ];
  const away =
    hosts.length === 0 ? [] : [`The hosts differ (${hosts.join('; ')}): latencies are not comparable`];
  const models =
    a.models.original.sha256 === b.models.original.sha256
      ? []
      : ['The originals are different models: no figures are comparable'];
  const labels =
    feeds.length === 0 && models.length === 0 && hasOtherAccuracy(a, b)
      ? [
          'The original has another accuracy on the same inputs: the labels, or the rounding of the machines, differ',
        ]
      : [];
  return [
    ...models,
    ...feeds,
    ...labels,
    ...away,
    ...differ('Versions of onnx-mish', a.tool.version, b.tool.version),
  ];
}

/** Returns whether a provider gave the same model another accuracy. The hash of the data does not cover the labels. */
function hasOtherAccuracy(a: Report, b: Report): boolean {
  return a.providers.some(({ provider, accuracy }) => {
    const other = b.providers.find((row) => row.provider === provider)?.accuracy;
    if (!accuracy || !other || accuracy.output !== other.output) return false;
    const [one, two] = [accuracy.original, other.original];
    return one.n !== two.n || one.places !== two.places || one.top1 !== two.top1;
  });
}

function describeData({ data }: Report): string {
  const from = data.source === 'seed' ? `noise of seed ${data.seed}` : data.source;
  return `${from}, ${plural(data.samples, 'sample')}, ${data.sha256.slice(0, 8)}`;
}

function general(a: Report, b: Report): Change[] {
  const model = (which: 'original' | 'swapped') => {
    const [one, other] = [a.models[which], b.models[which]];
    const change = one.sha256 === other.sha256 ? '' : 'another model';
    const name = ({ name, sha256 }: typeof one) => `${name} (${sha256.slice(0, 8)})`;
    return { what: `${which} model`, a: name(one), b: name(other), change, same: change === '' };
  };
  const overall = ({ passed, verdicts, conclusion }: Report) => {
    if (!passed) return 'did not pass';
    return verdicts.some(isRequested) ? 'limits kept' : (conclusion ?? 'no limit was set');
  };
  return [words('report', overall(a), overall(b)), model('original'), model('swapped')];
}

/** One figure of a provider in one report. */
interface Figure {
  readonly text: string;
  /** The number to compare; null if there is only text. */
  readonly value: number | null;
  readonly by: 'ratio' | 'dB' | 'points' | 'words';
}

function providerChanges(provider: string, a: Report, b: Report): Change[] {
  const [before, after] = [figures(provider, a), figures(provider, b)];
  return [...new Set([...before.keys(), ...after.keys()])].map((what) => {
    const [one, other] = [before.get(what), after.get(what)];
    const plain = words(what, one?.text ?? '–', other?.text ?? '–');
    const same = one?.value === other?.value && plain.same;
    return { ...plain, same, change: one && other && !same ? apart(one, other) : '' };
  });
}

function words(what: string, a: string, b: string): Change {
  return { what, a, b, change: '', same: a === b };
}

function apart({ value: a, by }: Figure, { value: b }: Figure): string {
  if (a === null || b === null || !Number.isFinite(a) || !Number.isFinite(b)) return '';
  const sign = b > a ? '+' : b < a ? '−' : '±';
  if (by === 'dB') return `${sign}${figure(Math.abs(b - a))} dB`;
  if (by === 'points') return `${sign}${figure(100 * Math.abs(b - a))} points`;
  return by === 'ratio' && a > 0 ? `× ${figure(b / a)}` : '';
}

function figures(provider: string, report: Report): Map<string, Figure> {
  const row = report.providers.find((one) => one.provider === provider);
  const figures = new Map<string, Figure>();
  if (row === undefined) return figures.set('status', { text: 'not requested', value: null, by: 'words' });
  const put = (what: string, one: Figure) => {
    let name = what;
    for (let again = 2; figures.has(name); again++) name = `${what} (${again})`;
    figures.set(name, one);
  };
  const text = (what: string, words: string) => put(what, { text: words, value: null, by: 'words' });
  const number = (what: string, value: number | null, by: Figure['by'], words = figure(value)) =>
    put(what, { text: words, value, by });
  text('status', row.reason === null ? row.status : `${row.status}: ${row.reason}`);
  if (row.runtime !== null) text('runtime', runtimeText(row.runtime));
  const verdicts = report.verdicts.filter((verdict) => verdict.provider === provider);
  for (const verdict of verdicts)
    text(
      `verdict ${verdict.threshold}`,
      `${verdictWord(verdict)} (${verdictText(verdict).replace(/^.*?: /, '')})`,
    );
  if (row.latency !== null) {
    const { original, swapped, ratio } = row.latency;
    const mark = row.runtime?.software ? `, ${SOFTWARE}` : '';
    number('original p50 ms', original.p50, 'ratio', `${figure(original.p50)}${mark}`);
    number('swapped p50 ms', swapped.p50, 'ratio', `${figure(swapped.p50)}${mark}`);
    number('latency ratio', ratio.value, 'ratio', `${ratioText(ratio)}${mark}`);
  }
  const drift = (what: string, drifts: readonly Drift[]) => {
    for (const one of drifts) {
      number(`${what} ${one.output}, SQNR dB`, one.sqnr, 'dB', sqnrOf(one));
      number(`${what} ${one.output}, max abs`, one.maxAbs, 'ratio');
    }
  };
  drift('drift of', row.drift);
  drift('original against CPU,', row.parity?.original ?? []);
  drift('swapped against CPU,', row.parity?.swapped ?? []);
  for (const sweep of row.kernel) {
    const what = `kernel ${activation(sweep)}, ${sweep.elemType}`;
    if (sweep.problem === null) number(`${what}, max abs`, sweep.maxAbs, 'ratio');
    else text(what, sweep.problem);
  }
  if (row.accuracy !== null) {
    const { original, swapped } = row.accuracy;
    for (const [name, accuracy] of Object.entries({ original, swapped })) {
      for (const measure of accuracyMeasures(accuracy))
        if (measure.name !== 'top-5')
          number(`${name} ${measure.name}`, measure.value, 'points', measure.text);
    }
  }
  return figures;
}

function runtimeText({
  name,
  version,
  browser,
  renderer,
  software,
}: NonNullable<ProviderRow['runtime']>): string {
  const parts = [`${name} ${version}`, browser, renderer, software ? SOFTWARE : null];
  return parts.filter((part) => part !== null).join(', ');
}
