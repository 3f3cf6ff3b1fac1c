import { fixedPercent } from '../base/fixed-percent.js';
import { integer } from '../base/plural.js';
import type { Accuracy } from '../metrics/accuracy.js';
import { type Drift, isWithoutSignal } from '../metrics/drift.js';
import { f1Text } from '../metrics/multi-label.js';
import { type Difference, pointsText } from '../metrics/paired.js';
import { type ShareInterval, wilsonInterval } from '../metrics/wilson.js';
import type { KernelSweep, ProviderRow, Verdict } from '../validate/report-schema.js';

// Formats numbers and names the same way in every rendering of a report.

/** Formats a number with at most `digits` significant digits; `–` for null. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3)
    return withMinus(value.toExponential(Math.max(1, digits - 3)).replace('e+', 'e'));
  return withMinus(String(Number(value.toPrecision(digits))));
}

/** Writes the sign of a negative number as a minus, as signed differences have it. */
export const withMinus = (number: string): string => number.replace(/^-/, '−');

/** Joins sections of lines with an empty line between them. Sections without lines are left out. */
export function joinSections(sections: readonly (readonly string[])[]): string {
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** Formats a share as a percentage: `98.2 %`. A share below 1 has as many digits as tell it from 100 %. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${figure(100 * share, digitsBeside(100 * share, 100, 3))} %`;
}

/** Maximum number of significant digits of a double. */
const MAX_DIGITS = 17;

/** Returns the least number of significant digits, from `least`, with which a number does not look like another one. */
function digitsBeside(value: number, other: number, least: number): number {
  const looksEqual = (digits: number) => value !== other && figure(value, digits) === figure(other, digits);
  let digits = least;
  while (digits < MAX_DIGITS && looksEqual(digits)) digits++;
  return digits;
}

/** Names an output that is judged by labels, with the threshold of one score per sample: `score > 0.5`. */
export function judgedOutput(output: string, threshold: number | null | undefined): string {
  return threshold === undefined || threshold === null ? output : `${output} > ${threshold}`;
}

/** Formats an accuracy on `n` samples with its 95 % interval, by default Wilson’s: `92.65 % (92.12 to 93.14)`; `–` for null. */
export function accuracyWithInterval(
  share: number | null,
  n: number,
  interval?: ShareInterval | undefined,
): string {
  if (share === null) return '–';
  const digits = n >= 1000 ? 2 : 1;
  const { low, high } = interval ?? wilsonInterval(share, n);
  const [value, from, to] = [share, low, high].map((one) => fixedPercent(one, digits));
  return `${value} % (${from} to ${to})`;
}

/** One measure of an accuracy; `hasInterval` where its text has a 95 % interval. */
export interface AccuracyMeasure {
  readonly name: string;
  readonly value: number | null;
  readonly text: string;
  readonly hasInterval: boolean;
}

/** Returns the measures of an accuracy, in the order of the columns that they fill. */
export function accuracyMeasures(
  accuracy: NonNullable<ProviderRow['accuracy']>['original'],
): AccuracyMeasure[] {
  const { n, top1, top5, top1Interval, top5Interval, places, multiLabel } = accuracy;
  const main = { value: top1, text: accuracyWithInterval(top1, n, top1Interval), hasInterval: true };
  if (multiLabel !== undefined) return [{ name: 'right labels', ...main }, ...measuresBeside(accuracy, n)];
  const five = accuracyWithInterval(top5, n, top5Interval);
  return [
    { name: places === undefined ? 'top-1' : 'right places', ...main },
    { name: 'top-5', value: top5, text: five, hasInterval: true },
    ...measuresBeside(accuracy, n),
  ];
}

/** Returns the measures beside a share of right labels: of a class at each place, or of several labels of a sample. */
export function measuresBeside(
  { meanIou, multiLabel }: Pick<Accuracy, 'meanIou' | 'multiLabel'>,
  n: number,
): AccuracyMeasure[] {
  if (multiLabel !== undefined) {
    const { exactMatch, microF1, macroF1 } = multiLabel;
    const exact = accuracyWithInterval(exactMatch, n);
    return [
      { name: 'exact match', value: exactMatch, text: exact, hasInterval: true },
      { name: 'micro F1', value: microF1, text: f1Text(microF1), hasInterval: false },
      { name: 'macro F1', value: macroF1, text: f1Text(macroF1), hasInterval: false },
    ];
  }
  if (meanIou === undefined) return [];
  return [{ name: 'mean IoU', value: meanIou, text: `${fixedPercent(meanIou)} %`, hasInterval: false }];
}

/** Returns the measures of the first accuracy that was measured; none without one. */
export function firstMeasures(
  rows: readonly { readonly accuracy: ProviderRow['accuracy'] }[],
): AccuracyMeasure[] {
  const first = rows.find(({ accuracy }) => accuracy !== null)?.accuracy;
  return first ? accuracyMeasures(first.original) : [];
}

/** Formats a paired difference of accuracies: `−0.04 points (−0.20 to +0.10), mid-p 0.6`. */
export function differenceWithInterval({
  value,
  low,
  high,
  midP,
}: Difference & { readonly midP: number | null }): string {
  const p = midP === null ? '' : `, mid-p ${midP < 0.001 ? '< 0.001' : figure(midP, 2)}`;
  return `${pointsText(value)} points (${pointsText(low)} to ${pointsText(high)})${p}`;
}

/** Shortens a long name by replacing its middle with `…`. */
export function short(name: string, longest = 60): string {
  if (name.length <= longest) return name; // never fewer UTF-16 units than characters
  const characters = [...name];
  if (characters.length <= longest) return name;
  const half = Math.floor((longest - 1) / 2);
  return `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
}

/**
 * Shortens names that stand in one column. Common leading and trailing `/` segments go first, because they do not
 * distinguish the names.
 */
export function tellApart(names: readonly string[], longest: number): string[] {
  const [first = ''] = names;
  if (names.length < 2 || names.every((name) => name.length <= longest)) {
    return names.map((name) => short(name, longest));
  }
  const parts = (name: string) => name.split('/');
  const shared = (from: (name: string) => string | undefined) =>
    names.every((name) => from(name) === from(first));
  const most = Math.min(...names.map((name) => parts(name).length)) - 1;
  let head = 0;
  while (head < most && shared((name) => parts(name)[head])) head += 1;
  let tail = 0;
  while (head + tail < most && shared((name) => parts(name).at(-1 - tail))) tail += 1;
  return names.map((name) => {
    const own = parts(name).slice(head, tail === 0 ? undefined : -tail);
    return short(`${head > 0 ? '…' : ''}${own.join('/')}${tail > 0 ? '…' : ''}`, longest);
  });
}

/** Describes a Mish: `Mish (exp, β 4)`, or `mixture of 0.1 x and Mish (exp)` where it has a slope. */
export function mishName(
  { form, beta, alpha }: { form: string | null; beta: number | null; alpha: number | null },
  elemType?: string,
): string {
  const details = [form, elemType, beta === 1 ? undefined : `β ${figure(beta)}`];
  const what = `Mish (${details.filter((detail) => detail !== undefined).join(', ')})`;
  return alpha === null ? what : `mixture of ${figure(alpha)} x and ${what}`;
}

/** Describes the activation that a sweep measured: `Mish (exp)`, `LeakyReLU (0.1)`. */
export function activation({ kind, form, beta, alpha }: KernelSweep): string {
  if (kind === 'relu') return 'ReLU';
  if (kind === 'leakyrelu') return `LeakyReLU (${figure(alpha)})`;
  return mishName({ form, beta, alpha });
}

/** Formats the SQNR of one output: `exact` for identical outputs, or the reason why there is no SQNR. */
export function sqnrOf({ maxAbs, sqnr, scale, broken, problem }: Drift): string {
  if (problem !== null) return 'not comparable';
  if (broken > 0) return `${integer(broken)} not finite`;
  return signalText({ sqnr, maxAbs, scale });
}

/** Formats an SQNR: `exact` for equal tensors, `−∞` where the reference is 0 throughout; `–` for none. */
export function signalText(drift: Pick<Drift, 'sqnr' | 'maxAbs' | 'scale'>): string {
  if (drift.maxAbs === 0) return 'exact';
  return isWithoutSignal(drift) ? '−∞' : figure(drift.sqnr);
}

/** Formats a verdict as measured value and limit: `minSqnr: 31.2 ≥ 30` if the limit is kept, `minSqnr: 28 < 30` if not. */
export function verdictText({ threshold, value, limit, passed }: Verdict): string {
  const [kept, broken] = threshold.startsWith('max') ? ['≤', '>'] : ['≥', '<'];
  const unit = threshold === 'maxTop1Drop' ? ' points' : '';
  if (value === null) return `${threshold}: not measured, limit ${kept} ${figure(limit, 4)}${unit}`;
  const digits = digitsBeside(value, limit, 4);
  // Identical outputs have an infinite SQNR, stored as `Number.MAX_VALUE`.
  const measured = value === Number.MAX_VALUE ? 'exact' : figure(value, digits);
  return `${threshold}: ${measured} ${passed ? kept : broken} ${figure(limit, digits)}${unit}`;
}

/** Checks without a limit of the user's, in reports that do not say which limits were requested. */
const UNREQUESTED = ['maxBroken', 'maxParity', 'maxOriginalParity'];

/** Returns whether a user set the limit of a verdict. */
export function isRequested({ threshold, requested }: Verdict): boolean {
  return requested ?? !UNREQUESTED.includes(threshold);
}

/** Returns `pass`, `FAIL`, or `finding` for a broken limit that does not decide the report's verdict. */
export function verdictWord({ passed, binding }: Verdict): 'pass' | 'FAIL' | 'finding' {
  if (passed) return 'pass';
  return binding ? 'FAIL' : 'finding';
}

/**
 * Applies `change` to every string in a value, keys included. Anyone may have written a report, so its text is not
 * trusted.
 */
export function mapText<T>(value: T, change: (text: string) => string): T;
export function mapText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapText(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapText(item, change)]));
}

/** Maximum characters of any text: enough for a conclusion on every activation, and for a message of ONNX Runtime. */
const MAX_TEXT_CHARACTERS = 2000;

/** Makes all text in a report safe for a terminal with `clean`, and shortens what is very long. */
export function safeText<T>(report: T, clean: (text: string) => string): T {
  return mapText(report, (text) => short(clean(text), MAX_TEXT_CHARACTERS));
}

/** Escapes characters that XML forbids, unpaired surrogates, and characters that change the direction of text. */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression removes them
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Formats a hint for people in parentheses, to follow its subject. */
export function hintText(hint: string | undefined): string {
  return hint === undefined ? '' : ` (${hint})`;
}
