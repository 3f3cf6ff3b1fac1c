import { OnnxMishError } from '../base/error.js';
import { attribute, type Node, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { roundTo } from '../onnx/scalar.js';
import { readNumbers } from '../onnx/small-tensor.js';
import { DataType, type FloatType, floatType } from '../onnx/types.js';
import type { OpenData } from '../onnx/weights.js';
import { constantTensor } from './constants.js';
import { isDequantizer } from './quantization.js';
import type { NewScale } from './requantise.js';

/** A bias of a layer in steps of its input's new scale. */
export interface RequantisedBias {
  readonly scope: Scope;
  /** The DequantizeLinear node of the bias. */
  readonly node: Node;
  readonly values: readonly number[];
  readonly shape: readonly number[];
  readonly scales: readonly number[];
  /** Type of the scales. */
  readonly type: FloatType;
  /** Dimensions of the scales: none, or the number of channels. */
  readonly dims: readonly number[];
}

const WITH_BIAS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];

/** Returns the constant numbers with a name; undefined for others, and for data in other files without `openData`. */
async function numbersOf(
  document: OnnxDocument,
  index: GraphIndex,
  scope: Scope,
  name = '',
  openData?: OpenData | undefined,
) {
  const tensor = name === '' ? undefined : constantTensor(index, scope, name);
  if (tensor?.scalar !== undefined && tensor.dims.length === 0) return { values: [tensor.scalar], tensor };
  const values = await readNumbers(document, tensor, openData);
  return values && tensor && { values, tensor };
}

const dequantizer = (index: GraphIndex, scope: Scope, name = ''): Node | undefined => {
  const node = name === '' ? undefined : index.producer(scope, name);
  return isDequantizer(node) ? node : undefined;
};

/**
 * Computes the int32 biases of the layers that read rescaled values. Their scale is the product of the scales of input and
 * weights; with another scale ONNX Runtime computes the layer on floats. Throws `external-data` for a bias in another file without `openData`.
 */
export async function requantiseBiases(
  document: OnnxDocument,
  index: GraphIndex,
  rescaled: Iterable<NewScale>,
  openData?: OpenData | undefined,
): Promise<RequantisedBias[]> {
  const biases = new Map<Node, RequantisedBias>();
  for (const { scope, quantization, dequantizers } of rescaled)
    for (const { outputs } of dequantizers)
      for (const use of index.uses(scope, outputs[0] ?? '')) {
        if (use.kind !== 'input' || use.slot !== 0 || !WITH_BIAS.has(use.node.opType)) continue;
        const [, weight, bias] = use.node.inputs;
        const node = dequantizer(index, use.scope, bias);
        const weights = dequantizer(index, use.scope, weight);
        if (node === undefined || weights === undefined || biases.has(node)) continue;
        const made = await requantise(
          document,
          index,
          use.scope,
          node,
          weights,
          quantization.scale,
          openData,
        );
        if (made !== undefined) biases.set(node, made);
      }
  return [...biases.values()];
}

async function requantise(
  document: OnnxDocument,
  index: GraphIndex,
  scope: Scope,
  node: Node,
  weights: Node,
  inputScale: number,
  openData: OpenData | undefined,
): Promise<RequantisedBias | undefined> {
  const read = (name: string | undefined) => numbersOf(document, index, scope, name, openData);
  const [bias, old, factors] = [
    await read(node.inputs[0]),
    await read(node.inputs[1]),
    await read(weights.inputs[1]),
  ];
  if (bias?.tensor.elemType !== DataType.INT32 || old === undefined || factors === undefined) {
    if (constantTensor(index, scope, node.inputs[0] ?? '')?.external === undefined) return undefined;
    throw new OnnxMishError('external-data', `the bias '${node.inputs[0]}' is in another file`, {
      where: document.source.name,
      fix: 'Store the weights in the model first, or leave int8 out',
      option: { externalData: 'inline' },
    });
  }
  if (index.uses(scope, node.outputs[0] ?? '').length !== 1 || rewriteObstacle(node)) return undefined;
  const type = floatType(old.tensor.elemType);
  if (type === undefined) return undefined;
  const pick = (list: readonly number[], at: number) => list[list.length === 1 ? 0 : at] ?? 0;
  const scales = old.values.map((_, at) => roundTo(inputScale * pick(factors.values, at), type));
  if (factors.values.length > 1 && factors.values.length !== scales.length) return undefined;
  if (!scales.every((scale) => scale > 0)) return undefined;
  const shape = bias.tensor.dims;
  // The bias of a Gemm may be a matrix, with a scale for each row or column.
  const axis = attribute(node, 'axis')?.i ?? 1;
  const inner = shape
    .slice(axis < 0 ? axis + shape.length : axis)
    .slice(1)
    .reduce((a, b) => a * b, 1);
  const values = bias.values.map((value, at) => {
    const channel = Math.floor(at / inner) % scales.length;
    const steps = Math.round((value * pick(old.values, channel)) / pick(scales, channel));
    return Math.min(MOST, Math.max(LEAST, steps));
  });
  if (scales.every((scale, at) => scale === old.values[at])) return undefined;
  return { scope, node, values, shape, scales, type, dims: old.tensor.dims };
}
