import type { OptionHint } from '../base/option-hint.js';
import { nodeLabel } from '../onnx/document.js';
import { FLOAT_TYPES, typeName } from '../onnx/types.js';
import type { FixedNode } from './fix-report.js';
import type { Foldable, Folding } from './fold-plan.js';
import type { FormName, Variant } from './forms.js';
import type { NoteOptions } from './notes.js';
import { type Site, type Skip, siteLabel } from './sites.js';

/** A site as reports show it. */
export interface SiteReport {
  /** Path of the graph or function it is in. */
  readonly scope: string;
  /** Node name, or operator and output where it has none. */
  readonly label: string;
  readonly node: string;
  /** Name of the site's output value; with `scope` it identifies the site. */
  readonly output: string;
  readonly kind: string;
  /** LeakyRelu's slope; `@name` for an attribute reference. */
  readonly alpha?: number | string;
  readonly elemType: string;
  readonly beta: number;
  /** Slope α of the mixture αx + (1 - α) · mish; undefined for Mish itself. */
  readonly leak?: number | undefined;
  /** It can be swapped, but this should be known: what it seems to be used for, with the node. */
  readonly doubt?: string | undefined;
  /** The constant -Infinity that it is given, of which Mish is NaN where ReLU gave 0. */
  readonly minusInfinity?: string | undefined;
  /** Of an activation that is written out in several nodes: the labels of the others. */
  readonly parts?: readonly string[];
  /** How far it is from its definition, divided by values above 1; where it was found by what it computes. */
  readonly difference?: number;
}

export interface SkipReport
  extends Omit<
    SiteReport,
    'beta' | 'leak' | 'elemType' | 'alpha' | 'doubt' | 'minusInfinity' | 'parts' | 'difference'
  > {
  readonly reason: Skip['reason'];
  readonly why: string;
  /** The options that decided it, or that would swap it. */
  readonly option?: OptionHint | undefined;
  /** The node that decided it, where one did: its scope and its label. */
  readonly decidedBy?: string | undefined;
}

/** A site whose sharpness is in the weights around it. */
export type FoldedSite = Pick<SiteReport, 'scope' | 'label' | 'output' | 'beta'>;

/** A site that has its sharpness still, and why. */
export interface KeptSite extends FoldedSite {
  readonly why: string;
}

/** What became of the sharpness of sites that had one. */
export interface FoldReport {
  readonly folded: readonly FoldedSite[];
  readonly kept: readonly KeptSite[];
  /** How many weights have other values. */
  readonly weights: number;
}

/** What a swap did, or would do. */
export interface SwapReport {
  readonly form: FormName;
  readonly beta: number;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** Where folding was asked for. */
  readonly fold?: FoldReport;
  /** For the target webgl: nodes written so that it computes them right. */
  readonly fixes?: readonly FixedNode[];
  /** One line for each provider that the form is slow on or cannot run on, with the remedy. */
  readonly notes: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions?: Readonly<NoteOptions>;
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

function reported({ node, scope, kind }: Pick<Site, 'node' | 'scope' | 'kind'>) {
  return {
    scope: scope.path,
    label: siteLabel({ node, scope }),
    node: node.name,
    output: node.outputs[0] ?? '',
    kind,
  };
}

/** A site in the words of a report. */
export function siteReport(site: Site & Variant): SiteReport {
  const { alpha, type, beta, leak, doubt, minusInfinity, inner, difference } = site;
  const elemType = typeName(type && FLOAT_TYPES[type]);
  // Not spread: V8 would make a hidden class for each.
  return Object.assign(
    reported(site),
    alpha === undefined ? undefined : { alpha },
    { elemType, beta },
    leak === undefined ? undefined : { leak },
    doubt === undefined ? undefined : { doubt },
    minusInfinity === undefined ? undefined : { minusInfinity },
    inner === undefined ? undefined : { parts: inner.map(nodeLabel), difference },
  );
}

/** A folding in the words of a report. */
export function foldReport<T extends Foldable & Pick<Site, 'node'>>({
  folded,
  kept,
  edits,
}: Folding<T>): FoldReport {
  const reportOf = ({ node, scope, beta }: T): FoldedSite => {
    const [label, output] = [siteLabel({ node, scope }), node.outputs[0] ?? ''];
    return { scope: scope.path, label, output, beta };
  };
  return {
    folded: [...folded].map(reportOf),
    kept: [...kept].map(([site, why]) => ({ ...reportOf(site), why })),
    weights: edits.length,
  };
}

/** A skip in the words of a report. */
export function skipReport(skip: Skip): SkipReport {
  const { reason, why, option, decidedBy } = skip;
  return Object.assign(
    reported(skip),
    { reason, why, option },
    decidedBy === undefined ? undefined : { decidedBy: siteLabel(decidedBy) },
  );
}
