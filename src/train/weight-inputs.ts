import { emptyTensor, floatInputField } from '../onnx/compose.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Edit, replacing } from '../onnx/splice.js';
import type { Weight } from '../onnx/weights.js';

/** Gives the edits that make a weight an input. `gone` has the starts of the nodes that are taken out already. */
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
  // Before IR 4 every initializer is an input as well.
  if (irVersion < 4) edits.push(append(floatInputField(unused, [0])));
  // In the initializer's place stands one without elements, so that the copy holds no weights, and needs no files for them.
  return [...edits, { start: frame.start, end: frame.end, bytes: emptyTensor(unused), frame }];
}
