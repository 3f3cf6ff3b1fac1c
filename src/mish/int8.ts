import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument, Scope } from '../onnx/document.js';
import type { Edit } from '../onnx/splice.js';
import type { Planned } from './apply-plan.js';
import { checkInt8 } from './check-int8.js';
import { findImpliedRelus } from './implied-relu.js';
import { NEW_SCALES, noteOnFloats, noteOnObstacle } from './int8-notes.js';
import type { Int8Way } from './int8-ways.js';
import { MISH, type NewActivation } from './new-activation.js';
import {
  type MeasuredRanges,
  type PlacedSite,
  planRequantisation,
  type QuantizedSite,
} from './requantise.js';
import { requantiseBiases } from './requantised-biases.js';
import type { Int8Report } from './results.js';
import { createChoice, type SiteOptions, type Skip } from './sites.js';
import { unsignedWhereNeeded } from './unsigned.js';
import { writeRequantised } from './write-requantised.js';

/** Sites after a requantisation. */
export interface Requantised<T extends QuantizedSite> {
  readonly sites: readonly T[];
  readonly skipped: readonly Skip[];
  readonly edits: readonly Edit[];
  /** Whether a form of Mish computes a site, and not operators on integers. */
  readonly isInForm: (site: QuantizedSite) => boolean;
  /** Returns the sites for `rewrite`, some with other nodes and inputs. */
  readonly placed: (sites: readonly QuantizedSite[]) => readonly QuantizedSite[];
  /** Part of the report. */
  readonly part: { readonly int8: Int8Report };
  /** Part of the record of the operation. */
  readonly recorded: { readonly int8?: Int8Way };
  readonly notes: readonly string[];
}

const byPlace = (scopes: readonly Scope[]) => {
  const order = new Map(scopes.map((scope, at) => [scope, at]));
  return (a: Pick<QuantizedSite, 'scope' | 'node'>, b: Pick<QuantizedSite, 'scope' | 'node'>) =>
    (order.get(a.scope) ?? 0) - (order.get(b.scope) ?? 0) || a.node.index - b.node.index;
};

/** Adds the sites that only a quantisation forbids, and the ReLUs of QuantizeLinear nodes. */
export function withQuantizedSites(
  { sites, skipped }: Planned,
  document: OnnxDocument,
  analysis: Analysis,
  options: SiteOptions,
): Planned {
  const isOpen = ({ reason, kind }: Skip) =>
    reason === 'quantized' && (kind === 'relu' || kind === 'leakyrelu');
  const choice = createChoice(options);
  const implied =
    options.only?.includes('relu') === false
      ? { sites: [], skipped: [] }
      : findImpliedRelus(document, analysis);
  const left: Skip[] = [];
  const more = implied.sites.filter((site) => {
    const why = choice([site.node]);
    if (why !== undefined) left.push({ ...site, ...why });
    return why === undefined;
  });
  const open = skipped.filter(isOpen).map(({ reason, why, option, decidedBy, ...site }) => site);
  const all = [...sites, ...open, ...more].sort(byPlace(document.scopes));
  const nodes = new Set(open.map(({ node }) => node));
  return {
    sites: all,
    open: nodes,
    skipped: [...skipped.filter((skip) => !isOpen(skip)), ...left, ...implied.skipped],
  };
}

/** Options of a requantisation. */
export interface RequantiseOptions {
  readonly way?: Int8Way | undefined;
  readonly to?: NewActivation | undefined;
  readonly ranges?: MeasuredRanges | undefined;
  /** Opens external data; without it, a bias in another file is refused. */
  readonly openData?: Parameters<typeof requantiseBiases>[3];
}

/** Creates a test whether a site is between floats. */
function createFormTest(placed: readonly PlacedSite[]): (site: QuantizedSite) => boolean {
  const nodes = new Set(placed.flatMap(({ site, onIntegers }) => (onIntegers ? [site.node] : [])));
  return ({ node }) => !nodes.has(node);
}

/** Makes the scales around sites anew; sites whose scales cannot be made anew are skipped. */
export async function requantiseSites<T extends QuantizedSite>(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly T[],
  open: ReadonlySet<Node> | undefined,
  { way = 'exact', to = MISH, ranges, openData }: RequantiseOptions = {},
): Promise<Requantised<T>> {
  checkInt8(way, to);
  const isOpen = ({ node }: QuantizedSite) => open?.has(node) || node.opType === 'QuantizeLinear';
  const plan = unsignedWhereNeeded(planRequantisation(analysis, sites, isOpen, way, ranges), analysis.index);
  const biases = await requantiseBiases(document, analysis.index, plan.rescaled.values(), openData);
  const written = writeRequantised(document, analysis.index, plan, biases);
  const skipped: Skip[] = [];
  const kept = sites.filter((site) => {
    const why = plan.refused.get(site);
    if (why !== undefined)
      skipped.push({ ...site, reason: 'quantized', why: `its scale cannot be made anew: ${why}` });
    return why === undefined;
  });
  const isInForm = createFormTest(plan.placed);
  const placedNodes = new Set(plan.placed.map(({ site }) => site.node));
  const { onIntegers, bound, edits, targets } = written;
  const report: Int8Report = {
    way,
    sites: plan.placed.length,
    onIntegers,
    scales: plan.rescaled.size,
    biases: biases.length,
    ...(onIntegers > 0 ? { bound: Number(bound.toPrecision(3)) } : {}),
  };
  return {
    sites: kept,
    skipped,
    edits,
    isInForm,
    placed: (all) => [...all.filter(({ node }) => !placedNodes.has(node)), ...targets],
    part: { int8: report },
    recorded: report.sites > 0 ? { int8: way } : {},
    notes: [
      ...(plan.placed.length > 0 && ranges === undefined ? [NEW_SCALES] : []),
      ...(plan.placed.length === 0 ? noteOnObstacle(document, analysis.index) : []),
      ...(way === 'qlinear' ? noteOnFloats(plan.placed) : []),
    ],
  };
}
