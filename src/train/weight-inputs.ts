import { emptyTensor, floatInputField, MIN_IR_VERSION } from '../onnx/compose.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Edit, replacing } from '../onnx/splice.js';
import type { Weight } from '../onnx/weights.js';

/** Returns the edits that turn a weight into an input. `gone` has the start offsets of nodes that are already deleted. */
export function asInput(
  { name, home, tensor }: Weight,
  { graph, irVersion }: OnnxDocument,
  index: GraphIndex,
  gone: ReadonlySet<number>,
  append: (bytes: Uint8Array) => Edit,
): Edit[] {
  const edits: Edit[] = [];
  if (!graph.inputs.some((input) => input.name === name))
    edits.push(append(floatInputField(name, tensor.dims)));
  const constant = index.producer(home, name);
  if (constant !== undefined) {
    if (gone.has(constant.span.start)) return edits;
    return [...edits, replacing(constant, new Uint8Array(0))];
  }
  const { frame } = tensor;
  if (frame === undefined) return edits;
  const unused = `onnx-mish/unused/${name}`;
  if (irVersion < MIN_IR_VERSION) edits.push(append(floatInputField(unused, [0])));
  // An empty initializer replaces the weight, so that the copy needs no weight data and no data files.
  return [...edits, { start: frame.start, end: frame.end, bytes: emptyTensor(unused), frame }];
}
