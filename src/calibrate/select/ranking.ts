import { OnnxMishError } from '../../base/error.js';
import type { OptionHint } from '../../base/option-hint.js';
import { FORMS, type FormName } from '../../mish/forms.js';
import type { SiteReport, SkipReport } from '../../mish/results.js';
import type { Drawn, Harm } from './trial.js';

export const RANKING_SCHEMA = 'onnx-mish/ranking@1';

/** A site, and what swapping it alone does to the outputs. */
export interface RankedSite extends SiteReport {
  /** Over a few of the samples; null where it was not asked for. */
  readonly estimate: Harm | null;
  /** Over all of them; null where it was not measured. */
  readonly measured: Harm | null;
}

/**
 * The sites of a model from harmless to harmful. Its `form`, `beta` and the first so many of its `sites` are those of a plan
 * that `swap` takes.
 */
export interface Ranking {
  readonly schema: typeof RANKING_SCHEMA;
  readonly model: {
    readonly name: string;
    /** SHA-256 of the file, and of the files that its external data is in, in the order of their names. */
    readonly sha256: readonly string[];
  };
  readonly form: FormName;
  readonly beta: number;
  /** The form in which it was measured: the same function as `form`, in the one that is fast on the CPU where it can be. */
  readonly measuredIn: FormName;
  readonly data: Drawn;
  /** Samples that an estimate is made from. */
  readonly estimateSamples: number;
  readonly sites: readonly RankedSite[];
  readonly skipped: readonly SkipReport[];
  /** Spearman's correlation of estimate and measurement over the sites that have both; null for fewer than three. */
  readonly spearman: number | null;
}

/** A number that is larger the less harm there is: dB, without bounds at both ends. */
export function harmlessness({ sqnr, maxAbs, broken, problem }: Harm): number {
  if (broken > 0 || problem !== null) return Number.NEGATIVE_INFINITY;
  return sqnr ?? (maxAbs === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
}

/** The sites from harmless to harmful: what was measured first, then by the estimate, then the rest. Ties keep their order. */
export function ranked(sites: readonly RankedSite[]): RankedSite[] {
  const by = (choose: (site: RankedSite) => Harm | null) => (a: RankedSite, b: RankedSite) => {
    const [first, second] = [choose(a), choose(b)];
    if (first === null || second === null) return 0;
    const [x, y] = [harmlessness(first), harmlessness(second)];
    return x === y ? 0 : y - x;
  };
  const left = sites.filter(({ measured }) => measured === null);
  return [
    ...sites.filter(({ measured }) => measured !== null).toSorted(by(({ measured }) => measured)),
    ...left.filter(({ estimate }) => estimate !== null).toSorted(by(({ estimate }) => estimate)),
    ...left.filter(({ estimate }) => estimate === null),
  ];
}

/** How far estimate and measurement agree on the order: 1 for the same, 0 for none. Null for fewer than three sites. */
export function agreementOfOrder(sites: readonly RankedSite[]): number | null {
  const both = sites.flatMap(({ estimate, measured }) =>
    estimate === null || measured === null ? [] : [[harmlessness(estimate), harmlessness(measured)] as const],
  );
  return spearman(
    both.map(([x]) => x),
    both.map(([, y]) => y),
  );
}

/** Spearman's rank correlation, ties by their mean rank; null for fewer than three values, and where all are the same. */
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
 * Checks a parsed JSON document. Throws `bad-data`, naming what is wrong.
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
  if (!isRecord(json) || json.schema !== RANKING_SCHEMA) return bad(`this is no ${RANKING_SCHEMA}`);
  const { model, form, beta, measuredIn, data, estimateSamples, sites, skipped } = json;
  const known = (name: unknown) => typeof name === 'string' && Object.hasOwn(FORMS, name);
  if (!isRecord(model) || typeof model.name !== 'string' || !isTexts(model.sha256))
    bad('model is not as it should be');
  if (!known(form) || !known(measuredIn)) bad('its form is not one of ours');
  if (!isNumber(beta) || !isNumber(estimateSamples)) bad('beta and estimateSamples have to be numbers');
  if (!isRecord(data) || !DATA.every((key) => key in data)) bad('data is not as it should be');
  if (!Array.isArray(sites)) return bad('sites has to be a list');
  if (!Array.isArray(skipped)) bad('skipped has to be a list');
  for (const [index, site] of (sites as unknown[]).entries()) {
    if (!isRecord(site)) return bad(`sites[${index}] has to be an object`);
    for (const key of TEXTS)
      if (typeof site[key] !== 'string') bad(`sites[${index}].${key} has to be a string`);
    if (!isNumber(site.beta)) bad(`sites[${index}].beta has to be a number`);
    for (const key of ['estimate', 'measured'])
      if (site[key] !== null && !isHarm(site[key])) bad(`sites[${index}].${key} is no measurement`);
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

function isHarm(value: unknown): boolean {
  return (
    isRecord(value) &&
    FIGURES.every((key) => value[key] === null || isNumber(value[key])) &&
    isNumber(value.broken) &&
    (value.problem === null || typeof value.problem === 'string')
  );
}

/** Throws `bad-data` where an earlier ranking cannot be gone on with: another model, other samples, another Mish. */
export function checkSame(before: Ranking, now: Ranking, where = 'ranking'): void {
  const other = 'Name another file, or remove this one';
  const differs = (what: string, fix = other, option: OptionHint = {}): never => {
    throw new OnnxMishError('bad-data', what, { where, fix, option: { before: null, ...option } });
  };
  if (before.model.sha256.join() !== now.model.sha256.join())
    differs(`it ranks another model ('${before.model.name}'), or the model has changed since`);
  for (const [key, was, is] of [
    ['form', before.form, now.form],
    ['beta', before.beta, now.beta],
    ['seed', before.data.seed, now.data.seed],
    ['samples', before.data.samples, now.data.samples],
  ] as const) {
    if (was !== is)
      differs(
        `it was measured with ${key} ${was}, and now it is ${is}`,
        `${other}; or go back to ${key} ${was}`,
        {
          [key]: was,
        },
      );
  }
  if (before.data.sha256 !== now.data.sha256 || before.data.labelled !== now.data.labelled)
    differs('it was measured on other samples');
  if (before.measuredIn !== now.measuredIn || before.estimateSamples !== now.estimateSamples)
    differs('it was measured in another way');
}
