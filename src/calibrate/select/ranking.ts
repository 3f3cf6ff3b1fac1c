import { OnnxMishError } from '../../base/error.js';
import type { OptionHint } from '../../base/option-hint.js';
import { REPLACEMENTS, type ReplacementName } from '../../mish/activation-kinds.js';
import { FORMS, type FormName, TARGETS, type Target } from '../../mish/forms.js';
import { INT8_WAYS, type Int8Way } from '../../mish/int8-ways.js';
import type { SiteReport, SkipReport } from '../../mish/results.js';
import { type Degradation, degradationScore } from './degradation.js';
import type { Drawn } from './trial.js';

export const RANKING_SCHEMA = 'onnx-mish/ranking@1';

/** A site and the degradation from swapping it alone. */
export interface RankedSite extends SiteReport {
  /** Degradation on a few of the samples; null unless requested. */
  readonly estimate: Degradation | null;
  /** Degradation on all samples; null if not measured. */
  readonly measured: Degradation | null;
}

/**
 * Sites of a model from the least to the most degrading. `to`, `int8`, `target`, `form`, `beta` and a prefix of `sites` are a plan for `swap`.
 */
export interface Ranking {
  readonly schema: typeof RANKING_SCHEMA;
  readonly model: {
    readonly name: string;
    /** SHA-256 of the model's file, and of its external data files in the order of their names. */
    readonly sha256: readonly string[];
  };
  /** The activation that is written; absent for Mish. */
  readonly to?: ReplacementName | undefined;
  /** How sites between quantised tensors were written; absent if they were skipped. */
  readonly int8?: Int8Way | undefined;
  /** The provider that decides the operators of an activation other than Mish. */
  readonly target?: Target | undefined;
  readonly form: FormName;
  readonly beta: number;
  /** Form of the measurements: `exp`, which is fast on the CPU, where possible; it computes the same function as `form`. */
  readonly measuredIn: FormName;
  readonly data: Drawn;
  /** Number of samples of an estimate: those of whole runs. */
  readonly estimateSamples: number;
  readonly sites: readonly RankedSite[];
  readonly skipped: readonly SkipReport[];
  /** Spearman's correlation of estimate and measurement, over sites with both; null for fewer than three sites. */
  readonly spearman: number | null;
}

/** Sorts sites from the least to the most degrading: measured sites, then estimated ones, then the rest. Ties keep their order. */
export function ranked(sites: readonly RankedSite[]): RankedSite[] {
  const by = (choose: (site: RankedSite) => Degradation | null) => (a: RankedSite, b: RankedSite) => {
    const [first, second] = [choose(a), choose(b)];
    if (first === null || second === null) return 0;
    const [x, y] = [degradationScore(first), degradationScore(second)];
    return x === y ? 0 : y - x;
  };
  const left = sites.filter(({ measured }) => measured === null);
  return [
    ...sites.filter(({ measured }) => measured !== null).toSorted(by(({ measured }) => measured)),
    ...left.filter(({ estimate }) => estimate !== null).toSorted(by(({ estimate }) => estimate)),
    ...left.filter(({ estimate }) => estimate === null),
  ];
}

/** Returns Spearman's correlation of estimates and measurements; null for fewer than three sites. */
export function agreementOfOrder(sites: readonly RankedSite[]): number | null {
  const both = sites.flatMap(({ estimate, measured }) =>
    estimate === null || measured === null
      ? []
      : [[degradationScore(estimate), degradationScore(measured)] as const],
  );
  return spearman(
    both.map(([x]) => x),
    both.map(([, y]) => y),
  );
}

/** Returns Spearman's rank correlation; ties get their mean rank. Null for fewer than three values, or if all are equal. */
export function spearman(x: readonly number[], y: readonly number[]): number | null {
  if (x.length < 3 || x.length !== y.length) return null;
  const [a, b] = [ranks(x), ranks(y)];
  const mean = (x.length - 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const [p, q] = [(a[index] ?? 0) - mean, (b[index] ?? 0) - mean];
    ab += p * q;
    aa += p * p;
    bb += q * q;
  }
  return aa === 0 || bb === 0 ? null : ab / Math.sqrt(aa * bb);
}

function ranks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => (a === b ? 0 : a - b));
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2);
}

/**
 * Checks a parsed JSON document. Throws `bad-data` with the name of the invalid field.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseRanking } from 'onnx-mish/calibrate';
 *
 * const { sites } = parseRanking(JSON.parse(await readFile('ranking.json', 'utf8')), 'ranking.json');
 */
export function parseRanking(json: unknown, where = 'ranking'): Ranking {
  const bad = (what: string): never => {
    throw new OnnxMishError('bad-data', what, {
      where,
      fix: 'Name a file with a ranking, or one that is not there yet',
      option: { before: null },
    });
  };
  if (!isRecord(json) || json.schema !== RANKING_SCHEMA)
    return bad(`the document is not a valid ${RANKING_SCHEMA}`);
  const { model, to, int8, target, form, beta, measuredIn, data, estimateSamples, sites, skipped } = json;
  const isForm = (name: unknown) => typeof name === 'string' && Object.hasOwn(FORMS, name);
  if (!isRecord(model) || typeof model.name !== 'string' || !isTexts(model.sha256))
    bad('model must have a name and sha256');
  if (to !== undefined && !REPLACEMENTS.some((name) => name === to))
    bad(`to must be one of ${REPLACEMENTS.join(', ')}`);
  if (int8 !== undefined && !INT8_WAYS.some((name) => name === int8))
    bad(`int8 must be one of ${INT8_WAYS.join(', ')}`);
  if (target !== undefined && !TARGETS.some((name) => name === target))
    bad(`target must be one of ${TARGETS.join(', ')}`);
  if (!isForm(form) || !isForm(measuredIn)) bad('form and measuredIn must be forms of Mish');
  if (!isNumber(beta) || !isNumber(estimateSamples)) bad('beta and estimateSamples must be numbers');
  if (!isRecord(data) || !DATA.every((key) => key in data)) bad(`data must have ${DATA.join(', ')}`);
  if (!Array.isArray(sites)) return bad('sites must be a list');
  if (!Array.isArray(skipped)) bad('skipped must be a list');
  for (const [index, site] of (sites as unknown[]).entries()) {
    if (!isRecord(site)) return bad(`sites[${index}] must be an object`);
    for (const key of TEXTS)
      if (typeof site[key] !== 'string') bad(`sites[${index}].${key} must be a string`);
    if (!isNumber(site.beta)) bad(`sites[${index}].beta must be a number`);
    for (const key of ['estimate', 'measured'])
      if (site[key] !== null && !isDegradation(site[key]))
        bad(`sites[${index}].${key} is not a valid measurement`);
  }
  return json as unknown as Ranking;
}

const TEXTS = ['scope', 'label', 'node', 'output', 'kind', 'elemType'];
const DATA = ['source', 'noise', 'seed', 'runs', 'of', 'samples', 'labelled', 'sha256'];
const FIGURES = ['sqnr', 'maxAbs', 'cosine', 'agreement', 'top1Drop'];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
const isTexts = (value: unknown) => Array.isArray(value) && value.every((text) => typeof text === 'string');

const isInterval = (value: unknown) => Array.isArray(value) && value.length === 2 && value.every(isNumber);

function isDegradation(value: unknown): boolean {
  return (
    isRecord(value) &&
    FIGURES.every((key) => value[key] === null || isNumber(value[key])) &&
    (value.top1DropInterval === undefined || isInterval(value.top1DropInterval)) &&
    isNumber(value.broken) &&
    (value.problem === null || typeof value.problem === 'string')
  );
}

/** Throws `bad-data` if an earlier ranking cannot be resumed: its model, samples or settings differ. */
export function checkSame(before: Ranking, now: Ranking, where = 'ranking'): void {
  const other = 'Name another file, or remove this one';
  const differs = (what: string, fix = other, option: OptionHint = {}): never => {
    throw new OnnxMishError('bad-data', what, { where, fix, option: { before: null, ...option } });
  };
  if (before.model.sha256.join() !== now.model.sha256.join())
    differs(`the ranking is of another model ('${before.model.name}'), or the model has changed since`);
  for (const [key, was, is] of [
    ['to', before.to ?? 'mish', now.to ?? 'mish'],
    ['int8', before.int8 ?? 'off', now.int8 ?? 'off'],
    ['form', before.form, now.form],
    ['beta', before.beta, now.beta],
    ['seed', before.data.seed, now.data.seed],
    ['samples', before.data.samples, now.data.samples],
  ] as const) {
    if (was !== is)
      differs(
        `the ranking was measured with ${key} ${was}, and now ${key} is ${is}`,
        `${other}; or go back to ${key} ${was}`,
        {
          [key]: was,
        },
      );
  }
  if (before.data.sha256 !== now.data.sha256 || before.data.labelled !== now.data.labelled)
    differs('the ranking was measured on other samples');
  if (before.measuredIn !== now.measuredIn || before.estimateSamples !== now.estimateSamples)
    differs('the ranking was measured in another form or with another number of samples for estimates');
}
