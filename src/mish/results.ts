import type { OptionHint } from '../base/option-hint.js';
import { nodeLabel } from '../onnx/document.js';
import { FLOAT_TYPES, typeName } from '../onnx/types.js';
import type { ReplacementName } from './activation-kinds.js';
import type { FixedNode } from './fix-report.js';
import type { FormName, Target, Variant } from './forms.js';
import type { Int8Way } from './int8-ways.js';
import type { NoteOptions } from './notes.js';
import { type Site, type Skip, siteLabel } from './sites.js';

/** Report entry of a site. */
export interface SiteReport {
  /** Path of the graph or function that contains the site. */
  readonly scope: string;
  /** Node name, or operator and output for an unnamed node. */
  readonly label: string;
  readonly node: string;
  /** Name of the site's output value; with `scope` it identifies the site. */
  readonly output: string;
  readonly kind: string;
  /** Slope of the LeakyRelu or mixture that was replaced; `@name` for an attribute reference. */
  readonly alpha?: number | string;
  readonly elemType: string;
  readonly beta: number;
  /** Slope α of LeakyReLU or of the mixture αx + (1 - α) · mish; undefined for Mish itself. */
  readonly leak?: number | undefined;
  /** Warning about a swappable site: its probable purpose, with the node. */
  readonly doubt?: string | undefined;
  /** The constant -Infinity that reaches the site. Mish of it is NaN; ReLU of it is 0. */
  readonly minusInfinity?: string | undefined;
  /** Labels of the other nodes, for an activation of several nodes. */
  readonly parts?: readonly string[];
  /** Largest difference from the exact activation, for a site of several nodes: absolute up to 1, relative beyond. */
  readonly difference?: number;
}

/** Report entry of a skipped activation. */
export interface SkipReport
  extends Omit<
    SiteReport,
    'beta' | 'leak' | 'elemType' | 'alpha' | 'doubt' | 'minusInfinity' | 'parts' | 'difference'
  > {
  readonly reason: Skip['reason'];
  readonly why: string;
  /** The options that caused the skip, or that would permit the swap. */
  readonly option?: OptionHint | undefined;
  /** Scope and label of the node behind the reason; undefined without one. */
  readonly decidedBy?: string | undefined;
}

/** A site whose sharpness moved into the weights around it. */
export interface FoldedSite extends Pick<SiteReport, 'scope' | 'label' | 'output' | 'beta'> {
  /** Least and largest sharpness of its channels, where these differ; `beta` is then their median. */
  readonly channels?: readonly [least: number, largest: number] | undefined;
}

/** A site that keeps its sharpness, with the reason. */
export interface KeptSite extends FoldedSite {
  readonly why: string;
}

/** Result of folding sharpness into weights. */
export interface FoldReport {
  readonly folded: readonly FoldedSite[];
  readonly kept: readonly KeptSite[];
  /** Number of changed weights. */
  readonly weights: number;
}

/** Sites between quantised tensors, and the scales around them. */
export interface Int8Report {
  readonly way: Int8Way;
  /** Number of sites between quantised tensors. */
  readonly sites: number;
  /** Number of these that compute on integers, as x · σ(ax + b). */
  readonly onIntegers: number;
  /** Number of quantised tensors with a new scale. */
  readonly scales: number;
  /** Number of biases in steps of a new scale. */
  readonly biases: number;
  /** Largest difference of a site on integers from Mish, the rounding of its output included. */
  readonly bound?: number;
}

/** Result of a swap or a dry run. */
export interface SwapReport {
  /** The activation that was written. */
  readonly to: ReplacementName;
  /** The provider that decided the operators of an activation other than Mish; absent without one. */
  readonly target?: Target | undefined;
  /** The opset that the options or the plan asked for; absent if neither did. */
  readonly opset?: number | undefined;
  /** The form of Mish; `native` for other activations, whose operators follow from the opset. */
  readonly form: FormName;
  /** For an approximate form: the largest difference of a site from Mish, or from the mixture. */
  readonly bound?: number;
  readonly beta: number;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** Present if quantised sites were requested. */
  readonly int8?: Int8Report;
  /** Present if folding was requested. */
  readonly fold?: FoldReport;
  /** For the target webgl: nodes rewritten so that WebGL computes them right. */
  readonly fixes?: readonly FixedNode[];
  /** A line, with the remedy, for each provider where the form is slow or cannot run. */
  readonly notes: readonly string[];
  /** The options that notes advise; the key is the note. */
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

/** Returns a key that is equal for the same site only. */
export const siteKey = ({ scope, output }: Pick<SiteReport, 'scope' | 'output'>): string =>
  `${scope}\0${output}`;

/** Returns the key of a site that was found, the same as that of its report. */
export const keyOfSite = ({ scope, node }: Pick<Site, 'scope' | 'node'>): string =>
  siteKey({ scope: scope.path, output: node.outputs[0] ?? '' });

/** Returns the report entry of a site. */
export function siteReport(site: Site & Variant): SiteReport {
  const { alpha, type, beta, leak, doubt, minusInfinity, inner, difference } = site;
  const elemType = typeName(type && FLOAT_TYPES[type]);
  // No object spread: V8 would create a hidden class per object.
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

/** Returns the report entry of a skipped site. */
export function skipReport(skip: Skip): SkipReport {
  const { reason, why, option, decidedBy } = skip;
  return Object.assign(
    reported(skip),
    { reason, why, option },
    decidedBy === undefined ? undefined : { decidedBy: siteLabel(decidedBy) },
  );
}
