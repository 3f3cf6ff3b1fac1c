import { onnx } from '../../proto/onnx.js';
import { type Analysis, analyse } from '../onnx/analysis.js';
import { type Node, type OnnxDocument, rewriteObstacle } from '../onnx/document.js';
import { nodeField } from '../onnx/encode.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import { type Edit, replacing, type Spliced } from '../onnx/splice.js';
import { FLOAT_TYPES, floatType, typeName } from '../onnx/types.js';
import { spliceWithRecord } from './history.js';
import { type SiteReport, type SkipReport, siteReport, skipReport } from './results.js';
import type { Site, Skip } from './sites.js';

/** A Relu that became a LeakyRelu, as reports show it. */
export type FixedRelu = Omit<SiteReport, 'alpha' | 'beta' | 'leak'>;

/** What `fixRelu` did. */
export interface FixReluReport {
  readonly relus: readonly FixedRelu[];
  /** Relu that stays, and why. */
  readonly skipped: readonly SkipReport[];
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface FixReluOptions {
  /** Keep in the model what `undo` needs; true unless given. */
  readonly undo?: boolean | undefined;
}

/** The Relu of a document as LeakyRelu: the edits, and what they do. */
export interface ReluFixes extends Pick<FixReluReport, 'relus' | 'skipped'> {
  readonly edits: readonly Edit[];
}

/**
 * Rewrites every Relu on float32 or float16 as LeakyRelu with slope 0, the same function except that it makes -0 of what is below
 * zero and NaN of -Infinity. WebGL fuses a Conv with the Relu after it, and then runs other Convs of the same shape
 * with that Relu too; with a LeakyRelu it does not.
 */
export async function fixRelu(
  input: ModelInput,
  options: FixReluOptions = {},
): Promise<{ output: Spliced; report: FixReluReport }> {
  return fixReluDocument(await scan(input), options);
}

/** `fixRelu` for a document that has been scanned already. */
export async function fixReluDocument(
  document: OnnxDocument,
  options: FixReluOptions = {},
): Promise<{ output: Spliced; report: FixReluReport }> {
  const { edits, relus, skipped } = reluFixes(document);
  const operation = { operation: 'fix-relu', form: 'leakyrelu', sites: relus.length } as const;
  const output = await spliceWithRecord(document, edits, [operation], options.undo ?? true);
  const report = { relus, skipped, bytesIn: document.source.size, bytesOut: output.size };
  return { output, report };
}

/** The edits that rewrite the Relu of a document, to be combined with others; `analysis` spares what is known already. */
export function reluFixes(document: OnnxDocument, analysis: Analysis = analyse(document)): ReluFixes {
  const edits: Edit[] = [];
  const relus: FixedRelu[] = [];
  const skipped: SkipReport[] = [];
  for (const scope of document.scopes) {
    for (const node of scope.nodes) {
      if (node.opType !== 'Relu' || node.domain !== '') continue;
      const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
      const elemType = analysis.types(scope, x) ?? analysis.types(scope, y);
      const site: Site = { node, scope, kind: 'relu', alpha: undefined, type: floatType(elemType) };
      const obstacle = obstacleTo(node, elemType);
      if (obstacle !== undefined) {
        skipped.push(skipReport({ ...site, ...obstacle }));
        continue;
      }
      const { alpha: _, beta: __, ...relu } = siteReport({ ...site, beta: 1 });
      relus.push(relu);
      edits.push(replacing(node, nodeField(scope.kind, leakyRelu(node))));
    }
  }
  return { edits, relus, skipped };
}

function leakyRelu({ name, inputs, outputs }: Node): onnx.INodeProto {
  const alpha = { name: 'alpha', type: onnx.AttributeProto.AttributeType.FLOAT, f: 0 };
  return { opType: 'LeakyRelu', name, input: [...inputs], output: [...outputs], attribute: [alpha] };
}

/** ONNX Runtime's LeakyRelu takes these on the CPU, float16 by casts. */
const FIXABLE: readonly number[] = [FLOAT_TYPES.f32, FLOAT_TYPES.f16];

/** Why a Relu stays; where its type is not known, it is what nearly every Relu is. */
function obstacleTo(node: Node, elemType: number | undefined): Pick<Skip, 'reason' | 'why'> | undefined {
  if (node.inputs.length !== 1 || node.outputs.length !== 1)
    return { reason: 'malformed', why: 'it lacks its input or output' };
  const why = rewriteObstacle(node);
  if (why !== undefined) return { reason: 'malformed', why };
  if (elemType === undefined || FIXABLE.includes(elemType)) return undefined;
  const name = typeName(elemType);
  if (floatType(elemType) === undefined) return { reason: 'integer', why: `its elements are ${name}` };
  return { reason: 'type-not-in-form', why: `ONNX Runtime has no LeakyRelu for ${name}` };
}
