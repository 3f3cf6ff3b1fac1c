import { integer } from '../base/plural.js';
import { analyse } from '../onnx/analysis.js';
import { type DeclaredValue, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { dataLocations, hasOutsideNumbers } from '../onnx/outside-numbers.js';
import { FLOAT_TYPES, typeName } from '../onnx/types.js';
import { countActivations } from './count-activations.js';
import { history } from './history.js';
import type { Inspection, ValueSummary } from './inspection.js';
import { countImpliedRelus, type NoteOptions, notesOnChoice } from './notes.js';
import { type Recognised, recognise, recogniseOnIntegers } from './recognise.js';
import { siteReport, skipReport } from './results.js';
import { findSites, type SiteOptions, siteLabel } from './sites.js';

const UNREAD =
  'numbers of the model are in data files that were not read, so activations that are written out with them are not found; give the model by its path, with these files beside it';

/** Does what `inspect` does, for a scanned document. */
export async function inspectDocument(
  document: OnnxDocument,
  options: SiteOptions = {},
): Promise<Inspection> {
  const { graph, scopes } = document;
  const analysis = analyse(document);
  const found = await findSites(document, options, analysis);
  const written = await recognise(document, analysis);
  const onIntegers = await recogniseOnIntegers(document, analysis);
  const impliedRelus = await countImpliedRelus(document, analysis);
  const noteOptions: NoteOptions = {};
  const notes = await notesOnChoice(
    document,
    analysis,
    [...found.sites, ...found.skipped],
    options,
    noteOptions,
  );
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
    kinds: await countActivations(document, analysis),
    sites: found.sites.map((site) => siteReport({ ...site, beta: 1 })),
    skipped: found.skipped.map(skipReport),
    ...(impliedRelus > 0 ? { impliedRelus } : {}),
    mish: [
      ...written.map(({ written, beta, leak, type, scope, node, difference, bound }) => ({
        form: written,
        beta,
        ...(leak === undefined ? {} : { leak }),
        elemType: typeName(type && FLOAT_TYPES[type]),
        scope: scope.path,
        label: siteLabel({ node, scope }),
        output: node.outputs[0] ?? '',
        difference,
        ...(bound === undefined ? {} : { bound }),
      })),
      ...onIntegers.map(({ beta, elemType, scope, node, bound }) => ({
        ...({ form: 'other', beta, elemType: typeName(elemType), scope: scope.path } as const),
        label: siteLabel({ node, scope }),
        output: node.outputs[0] ?? '',
        difference: bound,
        bound,
      })),
    ],
    history: history(document),
    externalData: dataLocations(document).sort(),
    notes: [...notes, ...noteOnOverflow(written), ...(hasOutsideNumbers(document) ? [UNREAD] : [])],
    noteOptions,
  };
}

/** Returns the note on Mish that overflow in their type, as the exp form does after another tool has made it float16. */
function noteOnOverflow(written: readonly Recognised[]): string[] {
  const overflowing = written.filter(({ overflowsAbove }) => overflowsAbove !== undefined);
  const [{ overflowsAbove = 0, type } = {}] = overflowing;
  if (type === undefined) return [];
  return [
    `${integer(overflowing.length)} Mish in the exp form of another type: where ${type} is computed as such, as on GPUs, inputs above ${overflowsAbove.toFixed(1)} give NaN; retarget writes the form of this type`,
  ];
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
