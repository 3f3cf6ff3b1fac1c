import { floatInputField } from '../onnx/compose.js';
import type { OnnxDocument } from '../onnx/document.js';
import { messageField } from '../onnx/encode.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Edit, replacing } from '../onnx/splice.js';
import type { Weight } from '../onnx/weights.js';

// Fields of TensorProto; the schema is proto/onnx.proto3.
const TENSOR_NAME = 8;

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
  if (irVersion < 4) edits.push(append(floatInputField(unused, tensor.dims)));
  // Of a field that comes twice the last one counts: the initializer has another name, and nobody reads it.
  const renamed = messageField(TENSOR_NAME, new TextEncoder().encode(unused));
  return [...edits, { start: frame.end, end: frame.end, bytes: renamed, frame }];
}
