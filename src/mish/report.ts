import { FLOAT_TYPES, typeName } from '../onnx/types.js';
import type { FormName, Variant } from './forms.js';
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
}

export interface SkipReport extends Omit<SiteReport, 'beta' | 'leak' | 'elemType' | 'alpha'> {
  readonly reason: Skip['reason'];
  readonly why: string;
}

/** What a swap did, or would do. */
export interface SwapReport {
  readonly form: FormName;
  readonly beta: number;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** One line for each provider that the form is slow on or cannot run on, with the remedy. */
  readonly notes: readonly string[];
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
  const { alpha, type, beta, leak } = site;
  const elemType = typeName(type && FLOAT_TYPES[type]);
  return {
    ...reported(site),
    ...(alpha === undefined ? {} : { alpha }),
    elemType,
    beta,
    ...(leak === undefined ? {} : { leak }),
  };
}

/** A skip in the words of a report. */
export function skipReport(skip: Skip): SkipReport {
  return { ...reported(skip), reason: skip.reason, why: skip.why };
}
