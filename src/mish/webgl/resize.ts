// Resize and Upsample in ways that WebGL computes right: Gather for nearest neighbours, products with matrices for the others.
import type { onnx } from '../../../proto/onnx.js';
import { attribute, type Node, type OnnxDocument, opsetOf } from '../../onnx/document.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import { resizeWeights } from '../../onnx/resize-weights.js';
import { readNumbers } from '../../onnx/small-tensor.js';
import type { FloatType } from '../../onnx/types.js';
import type { Loaded } from './loaded.js';
import { constantOf, type Fresh, floatTypeOf, gatherNodes } from './rewrites.js';

/** Maximum number of elements of an axis's matrix. */
const MAX_ELEMENTS = 2 ** 20;

/** Coordinates that WebGL computes right for linear interpolation. */
const COORDINATES: readonly string[] = ['half_pixel', 'pytorch_half_pixel', 'asymmetric'];

/** Returns why WebGL refuses a Resize or an Upsample or computes it wrong; undefined if it does not. */
export function resizeObstacle(
  node: Node,
  { graph, dims }: Pick<Loaded, 'graph' | 'dims'>,
): { says: string; isRefused: boolean } | undefined {
  const { opType } = node;
  const opset = opsetOf(graph);
  const refused = (what: string) => ({ says: `WebGL's ${opType} ${what}`, isRefused: true });
  if (opType === 'Upsample') return opset === 9 ? refused('fails in opset 9') : undefined;
  if (opType !== 'Resize') return undefined;
  if (opset === 10) return refused('fails in opset 10');
  if ((attribute(node, 'mode')?.s ?? 'nearest') !== 'linear') return refused('supports only the mode linear');
  const coordinates = attribute(node, 'coordinate_transformation_mode')?.s ?? 'half_pixel';
  if (coordinates === 'align_corners') {
    const [height, width] = dims(node.inputs[0] ?? '')?.slice(-2) ?? [];
    if (typeof height === 'number' && height === width) return undefined;
    const says = "WebGL's Resize exchanges height and width if coordinates are align_corners";
    return { says, isRefused: false };
  }
  return COORDINATES.includes(coordinates) ? undefined : refused(`does not support ${coordinates}`);
}

/** Returns the scale and the new size of each axis; undefined if they are not constant. */
async function resizedAxes(
  node: Node,
  dims: readonly number[],
  loaded: Loaded,
  document: OnnxDocument,
): Promise<{ scale: number; out: number }[] | undefined> {
  const constant = (slot: number) => loaded.constant(node.inputs[slot] ?? '');
  const isOld = node.opType === 'Upsample' || opsetOf(loaded.graph) < 11;
  const scales = await readNumbers(document, constant(isOld ? 1 : 2));
  const sizes = isOld ? undefined : await readNumbers(document, constant(3));
  // From opset 18 the sizes may keep the aspect ratio, and belong to some axes only.
  const keepsAspect = (attribute(node, 'keep_aspect_ratio_policy')?.s ?? 'stretch') !== 'stretch';
  if (keepsAspect || attribute(node, 'axes') !== undefined) return undefined;
  if (scales?.length === dims.length)
    return dims.map((size, axis) => {
      const scale = scales[axis] ?? 1;
      return { scale, out: Math.floor(Math.fround(size * scale)) }; // in float32, as ONNX Runtime does
    });
  if (sizes?.length !== dims.length) return undefined;
  return dims.map((size, axis) => ({ scale: (sizes[axis] ?? 1) / size, out: sizes[axis] ?? 1 }));
}

/** Builds the nodes of a resize along the last two axes; undefined if a size is not known or another axis changes. */
export async function resized(
  node: Node,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: Fresh,
): Promise<onnx.INodeProto[] | undefined> {
  const [x = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const dims = loaded.dims(x);
  if (dims === undefined || dims.length < 2) return undefined;
  const known = dims.map((size) => (typeof size === 'number' ? size : 0));
  const axes = await resizedAxes(node, known, loaded, document);
  const changed = (axes ?? []).flatMap(({ scale, out }, axis) =>
    scale === 1 && out === known[axis] ? [] : [axis],
  );
  if (axes === undefined || changed.length === 0) return undefined;
  const type = floatTypeOf(loaded, x);
  const nodes: onnx.INodeProto[] = [];
  let from = x;
  for (const [place, axis] of changed.entries()) {
    const [size = 0, { scale, out } = { scale: 1, out: 0 }] = [known[axis], axes[axis]];
    if (axis < dims.length - 2 || size * out === 0 || size * out > MAX_ELEMENTS) return undefined;
    const weights = resizeWeights(node, opsetOf(loaded.graph), { size, out, scale });
    if (weights === undefined) return undefined;
    const to = place === changed.length - 1 ? y : fresh(`${y}/webgl/rows`);
    const name = place === 0 ? node.name : fresh(`${y}/webgl/columns`);
    if ((attribute(node, 'mode')?.s ?? 'nearest') === 'nearest') {
      const places = Array.from({ length: out }, (_, column) =>
        Array.from({ length: size }, (_, row) => row).findIndex((row) => weights[row * out + column] === 1),
      );
      nodes.push(...gatherNodes({ name, from, to, axis, places }, fresh));
    } else
      nodes.push(
        ...product({ name, from, to, isLast: axis === dims.length - 1, type }, weights, [size, out], fresh),
      );
    from = to;
  }
  return nodes;
}

/** Builds the product of the last axis, or of the one before it, with a matrix [size, out]. */
function product(
  {
    name,
    from,
    to,
    isLast,
    type,
  }: { name: string; from: string; to: string; isLast: boolean; type: FloatType },
  weights: Float32Array,
  [size, out]: readonly [number, number],
  fresh: Fresh,
): onnx.INodeProto[] {
  const matrix = fresh(`${to}/webgl/weights`);
  const numbers = isLast
    ? weights
    : weights.map((_, at) => weights[(at % size) * out + Math.floor(at / size)] ?? 0);
  return [
    constantOf(matrix, floatTensor(numbers, type, isLast ? [size, out] : [out, size])),
    { opType: 'MatMul', name, input: isLast ? [from, matrix] : [matrix, from], output: [to] },
  ];
}
