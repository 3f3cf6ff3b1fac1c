import { analyse } from '../onnx/analysis.js';
import { type DeclaredValue, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import { FLOAT_TYPES, typeName } from '../onnx/types.js';
import type { FormName } from './forms.js';
import { history, type Operation } from './history.js';
import { recognise } from './recognise.js';
import { type SiteReport, type SkipReport, siteReport, skipReport } from './results.js';
import { findSites, type SiteOptions, siteLabel } from './sites.js';

export interface ValueSummary {
  readonly name: string;
  /** `f32`, `i64`, ...; `unknown` for a value that is not a tensor. */
  readonly elemType: string;
  /** A number, a symbol, or null for an unknown dimension; undefined when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | undefined;
}

export interface MishSummary {
  /** `other` where the nodes match no form of onnx-mish. */
  readonly form: FormName | 'other';
  readonly beta: number;
  /** Slope α of the mixture αx + (1 - α) · mish; absent for Mish itself. */
  readonly leak?: number;
  readonly elemType: string;
  readonly scope: string;
  readonly label: string;
  /** Name of the output value. */
  readonly output: string;
  /** The largest difference from exact Mish from -60 to 60: absolute up to 1, relative beyond. */
  readonly difference: number;
}

/** Description of a model for swapping. */
export interface Inspection {
  /** Length in bytes. */
  readonly bytes: number;
  readonly irVersion: number;
  readonly producer: string;
  /** Opset of ONNX's default domain. */
  readonly opset: number;
  /** Every operator set that the model imports; '' is ONNX's default domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** The inputs that must be fed: those without an initializer. */
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Nodes in all graphs and functions. */
  readonly nodes: number;
  /** Graphs inside attributes of nodes. */
  readonly nestedGraphs: number;
  readonly functions: number;
  /** Number of nodes per operator; `domain.Op` outside ONNX's default domain. */
  readonly operators: Readonly<Record<string, number>>;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** Mish that the model already contains. */
  readonly mish: readonly MishSummary[];
  /** Operations of onnx-mish on this model, oldest first. */
  readonly history: readonly Operation[];
  /** Files that hold tensors of the model, relative to its folder. */
  readonly externalData: readonly string[];
}

/**
 * Describes a model: its inputs and outputs, its activations and its Mish. Throws the errors of `scan`.
 *
 * @example
 * import { inspect } from 'onnx-mish';
 *
 * const { sites, skipped } = await inspect(bytes);
 * for (const { kind, label } of sites) console.log(kind, label);
 */
export async function inspect(input: ModelInput, options: SiteOptions = {}): Promise<Inspection> {
  return inspectDocument(await scan(input), options);
}

/** Does what `inspect` does, for a scanned document. */
export async function inspectDocument(
  document: OnnxDocument,
  options: SiteOptions = {},
): Promise<Inspection> {
  const { graph, scopes } = document;
  const analysis = analyse(document);
  const found = await findSites(document, options, analysis);
  const written = await recognise(document, analysis);
  const locations = document.external.map(({ tensor }) => tensor.external?.get('location') ?? '');
  return {
    bytes: document.source.size,
    irVersion: document.irVersion,
    producer: document.producer,
    opset: opsetOf(graph),
    opsets: Object.fromEntries(graph.opsets),
    inputs: graph.inputs.filter(({ name }) => !graph.initializers.has(name)).map(summary),
    outputs: graph.outputs.map(summary),
    nodes: scopes.reduce((sum, scope) => sum + scope.nodes.length, 0),
    nestedGraphs: scopes.filter((scope) => scope.parent !== undefined).length,
    functions: document.functions.length,
    operators: countOperators(document),
    sites: found.sites.map((site) => siteReport({ ...site, beta: 1 })),
    skipped: found.skipped.map(skipReport),
    mish: written.map(({ written, beta, leak, type, scope, node, difference }) => ({
      form: written,
      beta,
      ...(leak === undefined ? {} : { leak }),
      elemType: typeName(type && FLOAT_TYPES[type]),
      scope: scope.path,
      label: siteLabel({ node, scope }),
      output: node.outputs[0] ?? '',
      difference,
    })),
    history: history(document),
    externalData: [...new Set(locations)].sort(),
  };
}

function summary({ name, elemType, dims }: DeclaredValue): ValueSummary {
  return { name, elemType: typeName(elemType), dims };
}

function countOperators({ scopes }: OnnxDocument): Record<string, number> {
  const counts = new Map<string, number>();
  for (const scope of scopes) {
    for (const { domain, opType } of scope.nodes) {
      const name = domain === '' ? opType : `${domain}.${opType}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
