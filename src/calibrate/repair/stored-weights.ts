// Weights that a layer reads through a Transpose, stored as the layer reads them.
import { tensorConstant } from '../../mish/node-writer.js';
import { MIN_IR_VERSION } from '../../onnx/compose.js';
import { attribute, type Node, type OnnxDocument } from '../../onnx/document.js';
import { concat, messageField, nodeField, varint } from '../../onnx/encode.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import { type Edit, replacing } from '../../onnx/splice.js';
import { FLOAT_TYPES } from '../../onnx/types.js';
import { floatBytes, type OpenData, readWeight, type Weight, weightOf } from '../../onnx/weights.js';
import { elementCount } from '../../providers/tensor.js';

/** Operators whose second input can be solved by least squares. */
const LAYERS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

// Fields of TensorProto; the schema is proto/onnx.proto3.
const TENSOR = { dims: 1, dataType: 2, name: 8, raw: 9 };
/** Maximum number of elements of a tensor that is stored twice. */
export const MAX_COPIED_ELEMENTS = 2 ** 24;

/**
 * Returns edits that store transposed weights as the layers of the main graph read them, so that new weights can be
 * written. The initializer gets the name of the Transpose's output, and the Transpose is deleted. If another node reads
 * the initializer, as the Gather of a language model does, it stays, and a Constant takes the place of the Transpose.
 * `copied` is the number of elements that are stored twice then. With `copies` false, such layers stay as they are. Throws as
 * `readWeight` does.
 */
export async function storeAsRead(
  document: OnnxDocument,
  index: GraphIndex,
  openData: OpenData | undefined,
  copies = true,
): Promise<{ readonly edits: readonly Edit[]; readonly copied: number }> {
  const { graph, irVersion } = document;
  const edits: Edit[] = [];
  const done = new Set<Node>();
  let copied = 0;
  // An initializer that is an input as well cannot be renamed.
  if (irVersion < MIN_IR_VERSION) return { edits, copied };
  for (const { domain, opType, inputs } of graph.nodes) {
    if (domain !== '' || !LAYERS.has(opType)) continue;
    const name = inputs[1] ?? '';
    const node = index.producer(graph, name);
    if (node?.opType !== 'Transpose' || node.domain !== '' || done.has(node)) continue;
    const weight = weightOf(index, graph, node.inputs[0] ?? '');
    const frame = weight?.tensor.frame;
    if (weight === undefined || frame === undefined || !graph.initializers.has(weight.name)) continue;
    if (index.isInput(graph, weight.name)) continue;
    const axes = axesOf(node, weight);
    const readers = index.uses(graph, weight.name).length;
    if (
      axes === undefined ||
      (readers > 1 && (!copies || elementCount(weight.tensor.dims) > MAX_COPIED_ELEMENTS))
    )
      continue;
    done.add(node);
    const values = permute(await readWeight(document, weight, openData), weight.tensor.dims, axes);
    const dims = axes.map((axis) => weight.tensor.dims[axis] ?? 0);
    if (readers > 1) {
      copied += values.length;
      const tensor = floatTensor(values, weight.type, dims);
      edits.push(replacing(node, nodeField(graph.kind, tensorConstant(name, tensor))));
      continue;
    }
    edits.push(replacing(node, new Uint8Array(0)));
    edits.push({ start: frame.start, end: frame.end, frame, bytes: tensorBytes(name, weight, dims, values) });
  }
  return { edits, copied };
}

/** Returns a Transpose's permutation of axes; undefined if it is not a permutation of the tensor's axes. */
function axesOf(node: Node, { tensor }: Weight): readonly number[] | undefined {
  const reversed = tensor.dims.map((_, axis) => tensor.dims.length - 1 - axis);
  const axes = attribute(node, 'perm')?.ints ?? reversed;
  const sound = axes.length === reversed.length && reversed.every((axis) => axes.includes(axis));
  return sound ? axes : undefined;
}

/** Permutes the axes of a tensor's elements. */
export function permute(
  values: ArrayLike<number>,
  dims: readonly number[],
  axes: readonly number[],
): Float64Array {
  const strides = dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
  const sizes = axes.map((axis) => dims[axis] ?? 1);
  const steps = axes.map((axis) => strides[axis] ?? 0);
  const at = axes.map(() => 0);
  const out = new Float64Array(values.length);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = values[from] ?? 0;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      const next = (at[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      at[axis] = next;
      if (next < (sizes[axis] ?? 1)) break;
      from -= next * (steps[axis] ?? 0);
      at[axis] = 0;
    }
  }
  return out;
}

function tensorBytes(
  name: string,
  { type }: Weight,
  dims: readonly number[],
  values: Float64Array,
): Uint8Array {
  // A tag is the field's number times 8, plus the wire type, which is 0 for integers.
  const number = (field: number, value: number) => [varint(field * 8), varint(value)];
  return concat([
    ...dims.flatMap((dim) => number(TENSOR.dims, dim)),
    ...number(TENSOR.dataType, FLOAT_TYPES[type]),
    messageField(TENSOR.name, new TextEncoder().encode(name)),
    messageField(TENSOR.raw, floatBytes(values, type)),
  ]);
}
