import { kindNamed } from '../../mish/activation-kinds.js';
import { ACTIVATIONS } from '../../mish/activations.js';
import { hasSiteInForm } from '../../mish/costs.js';
import type { FixedNode } from '../../mish/fix-report.js';
import { planOf } from '../../mish/plan.js';
import type { SiteReport, SkipReport, SwapReport } from '../../mish/results.js';
import type { MoveOptions } from '../../node/transform-file.js';
import { writtenName } from '../../render/written-name.js';
import { notesWithFlags, withFlags } from './flags.js';
import { say, sayJson } from './say.js';
import { clean, growth, integer, plural } from './text.js';

/** Options that change a model beside its activations. */
export type OtherChanges = Pick<MoveOptions, 'externalData'> & { readonly opset?: number | undefined };

/** Returns the end of a sentence about a model in which nothing was rewritten; empty if an option changes it all the same. */
export function sameBytes({ opset, externalData = 'keep' }: OtherChanges): string {
  return opset === undefined && externalData === 'keep' ? ': the output is the input, byte for byte' : '';
}

/** Describes a swap in lines of text. */
export function describeSwapReport(report: SwapReport, changes: OtherChanges = {}): string[] {
  const { sites, skipped, fixes = [], notes, noteOptions, bytesIn, bytesOut } = report;
  return [
    sites.length === 0
      ? `  nothing to swap${fixes.length === 0 ? sameBytes(changes) : ''}`
      : `  ${describeWritten(report)}`,
    ...describeMixtures(report),
    ...describeInt8(report.int8),
    ...describeFold(report.fold),
    ...describeFixes(fixes),
    ...describeDoubts(sites),
    ...describeSkipped(skipped),
    `  ${integer(bytesIn)} → ${integer(bytesOut)} bytes (${growth(bytesIn, bytesOut)})`,
    ...notesWithFlags(notes, noteOptions).map((note) => `  note: ${clean(note)}`),
  ];
}

/** Says how many sites became what: `4 Relu → Mish in the exp form`. */
function describeWritten({ to, form, bound, beta, sites, int8 }: SwapReport): string {
  const kinds = [...new Set(sites.map((site) => site.kind))];
  const of = kinds
    .map((kind) => `${integer(sites.filter((site) => site.kind === kind).length)} ${operator(kind)}`)
    .join(', ');
  const mish = hasSiteInForm({ sites, int8 })
    ? `${writtenName({ form })}${within(bound)}`
    : 'Mish on integers';
  const written = to === 'mish' ? mish : `${ACTIVATIONS[to].label}${slopes(sites)}`;
  return `${of} → ${written}${beta === 1 ? '' : `, β = ${beta}`}`;
}

/** Returns a line with the number of mixtures, if there are any. */
function describeMixtures({ to, sites }: SwapReport): string[] {
  const mixtures = to === 'mish' ? sites.filter(({ leak }) => leak !== undefined).length : 0;
  if (mixtures === 0) return [];
  return [`  of these ${integer(mixtures)} as a mixture, αx + (1 - α)·Mish, which is not Mish itself`];
}

/** Describes the bound of an approximate form; empty for an exact form. A bound from a model may be anything. */
export const within = (bound: unknown): string =>
  typeof bound === 'number' ? `, within ${Number(bound.toPrecision(3))} of Mish` : '';

/** Returns the slopes of LeakyReLU at sites; empty for other activations. */
function slopes(sites: readonly SiteReport[]): string {
  const all = sites.flatMap(({ leak }) => leak ?? []);
  if (all.length === 0) return '';
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? `, α = ${least}` : `, α from ${least} to ${most}`;
}

/** Prints a swap of which nothing is written: `lines` that describe it, or its plan as JSON. */
export function sayDryRun(input: string, report: SwapReport, json: boolean, lines: readonly string[]): void {
  if (json) sayJson(planOf(report));
  else say([`${clean(input)}: nothing written (dry run)`, ...lines].join('\n'));
}

/** Maximum items that a list shows, unless its caller has another number. */
const MAX_LISTED = 8;

/** Returns a line for each of the first `most` items, and one that counts the others; each begins with `head`. */
function listed<T>(head: string, items: readonly T[], most: number, line: (item: T) => string): string[] {
  const lines = items.slice(0, most).map((item) => `  ${head} ${line(item)}`);
  if (items.length > most) lines.push(`  ${head} ${integer(items.length - most)} more (--json lists all)`);
  return lines;
}

/** Describes the sites between quantised tensors, and their scales. */
function describeInt8(int8: SwapReport['int8']): string[] {
  if (int8 === undefined || int8.sites === 0) return [];
  const { sites, onIntegers, scales, biases, bound } = int8;
  return [
    `  of these ${integer(sites)} between quantised tensors; new are ${plural(scales, 'scale')} and ${integer(biases)} ${biases === 1 ? 'bias' : 'biases'}`,
    ...(onIntegers === 0
      ? []
      : [`  of these ${integer(onIntegers)} on integers, as x·σ(ax + b), within ${bound} of Mish`]),
  ];
}

/** Describes the folds: counts the folded sites, and lists the sites that were not folded. */
function describeFold(fold: SwapReport['fold']): string[] {
  if (fold === undefined || fold.folded.length + fold.kept.length === 0) return [];
  const { folded, kept, weights } = fold;
  const all = folded.length + kept.length;
  return [
    `  β folded into weights at ${integer(folded.length)} of ${plural(all, 'site')}; ${plural(weights, 'tensor')} changed`,
    ...listed('not folded', kept, MAX_LISTED, ({ label, why }) => `${clean(label)}: ${clean(why)}`),
  ];
}

/** Words for the way in which a node was rewritten. */
const FIXES: Readonly<Record<FixedNode['fix'], string>> = {
  unfuse: 'a Cast to the same type before it, so that no Conv fuses it',
  keep: 'a Cast to the same type',
  copy: 'a multiplication by 1 after it, which restores the order of elements',
  kernel: 'its kernel_shape is written',
  multiply: 'as Mul',
  bound: 'with the largest number as upper bound',
  bias: 'with 0 as its third input',
  slice: 'as Slices',
  empty: 'with empty tensors for omitted inputs',
  image: 'as a convolution over images of one column',
  gather: 'as Gather',
  reduce: 'as pooling or MatMul',
  resize: 'as Gather or MatMul',
  pad: 'over channels padded with zeros',
  before: 'a multiplication by 1 before it, so that other nodes read the unchanged tensor',
};

/** Describes the nodes that were rewritten for WebGL, a line each, and counts those after the first few. */
export function describeFixes(fixes: readonly FixedNode[]): string[] {
  return listed('for WebGL:', fixes, MAX_LISTED, ({ op, label, fix, why }) => {
    return `${clean(op)} ${clean(label)}: ${FIXES[fix]} (${clean(why)})`;
  });
}

/** Returns the ONNX operator of a kind of activation. */
function operator(kind: string): string {
  return kindNamed(kind)?.opType ?? kind;
}

/** Describes up to `most` sites that were swapped in spite of a doubt, a line each. */
export function describeDoubts(sites: readonly SiteReport[], most = MAX_LISTED): string[] {
  const doubtful = sites.filter(({ doubt }) => doubt !== undefined);
  return listed('doubt at', doubtful, most, ({ kind, label, doubt = '' }) => {
    return `${operator(kind)} ${clean(label)}: ${clean(doubt)}`;
  });
}

/** Describes up to `most` activations that stay, a line each, and counts the others. */
export function describeSkipped(skipped: readonly SkipReport[], most = MAX_LISTED): string[] {
  return listed('skipped', skipped, most, ({ kind, label, why, option }) => {
    return `${operator(kind)} ${clean(label)}: ${clean(withFlags(why, option))}`;
  });
}
