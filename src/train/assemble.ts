// Puts what training adds to a model into a copy of the model.
import { type ComposedNode, composedField, floatInputField } from '../onnx/compose.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { concat, importField, outputField } from '../onnx/encode.js';
import { pruneEdits } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Edit, replacing, type Spliced, splice } from '../onnx/splice.js';
import type { Weight } from '../onnx/weights.js';
import { asInput } from './weight-inputs.js';

/** Parts of a training graph. */
export interface TrainingParts {
  /** The nodes to write in place of a node. */
  readonly replaced?: ReadonlyMap<Node, readonly ComposedNode[]> | undefined;
  readonly appended: readonly ComposedNode[];
  /** Weights to turn into inputs. */
  readonly weights: readonly Weight[];
  /** Additional float32 inputs. */
  readonly inputs: readonly (readonly [name: string, dims: readonly number[]])[];
  readonly outputs: readonly string[];
}

/** Copies the nodes that compute `kept`, and adds the parts. The parts' outputs replace the model's outputs. */
export function assemble(
  document: OnnxDocument,
  index: GraphIndex,
  kept: readonly string[],
  { replaced = new Map(), appended, weights, inputs, outputs }: TrainingParts,
): Spliced {
  const frame = document.graph.nodes[0]?.frame;
  if (frame === undefined) throw new Error('a graph without nodes has no weights');
  const append = (bytes: Uint8Array): Edit => ({ start: frame.end, end: frame.end, bytes, frame });
  const prune = pruneEdits(document, kept);
  const gone = new Set(prune.map(({ start }) => start));
  const domains = new Set(
    [...appended, ...[...replaced.values()].flat()].flatMap(([, , , , domain]) => domain ?? []),
  );
  const end = document.source.size;
  const imports = [...domains].filter((domain) => !document.graph.opsets.has(domain));
  const edits: Edit[] = [
    ...imports.map((domain) => ({ start: end, end, bytes: importField(domain, 1), frame: undefined })),
    ...prune,
    // A declared shape does not hold where the new nodes give another layout.
    ...(replaced.size === 0 ? [] : [...document.graph.values.values()])
      .filter(({ span: { start } }) => !gone.has(start))
      .map((value) => replacing(value, new Uint8Array(0))),
    ...[...replaced].map(([node, nodes]) => replacing(node, concat(nodes.map(composedField)))),
    ...weights.flatMap((weight) => asInput(weight, document, index, gone, append)),
    ...inputs.map(([name, dims]) => append(floatInputField(name, dims))),
    ...appended.map((node) => append(composedField(node))),
    ...outputs.map((name) => append(outputField(name))),
  ];
  return splice(document.source, edits);
}
