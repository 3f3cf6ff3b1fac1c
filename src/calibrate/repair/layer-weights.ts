import { Matrix } from 'ml-matrix';
import { biasEdit } from '../../onnx/add-bias.js';
import { attribute, type OnnxDocument } from '../../onnx/document.js';
import { floatValues } from '../../onnx/scalar.js';
import type { Edit } from '../../onnx/splice.js';
import { type OpenData, readWeight, type Weight, weightEdit } from '../../onnx/weights.js';
import { elementCount } from '../../providers/tensor.js';
import { DEFAULT_EPSILON } from '../../train/autodiff/rule.js';
import { type Geometry, geometryOf } from './layer-rows.js';
import type { Linear } from './least-squares.js';
import { type LinearLayer, usesOf } from './linear-layers.js';

/** Reads a layer's weights as a linear map for each group, with the sizes of `Geometry`. Throws as `readWeight` does. */
export async function linearMaps(
  document: OnnxDocument,
  layer: LinearLayer,
  openData: OpenData | undefined,
): Promise<Linear[]> {
  const geometry = geometryOf(layer);
  const { groups, depth, outputs } = geometry;
  const raw = await readWeight(document, layer.weight, openData);
  const bias =
    layer.bias === undefined
      ? new Float64Array(groups * outputs)
      : await readWeight(document, layer.bias, openData);
  const { factor, biasFactor } = factorsOf(layer);
  const norm = await normOf(document, layer, openData);
  const place = placesOf(layer, geometry);
  return Array.from({ length: groups }, (_, group) => {
    const weights = new Matrix(outputs, depth);
    const own = new Float64Array(outputs);
    for (let output = 0; output < outputs; output++) {
      const row = group * outputs + output;
      for (let index = 0; index < depth; index++)
        weights.set(output, index, factor * (raw[place(row, index)] as number));
      own[output] = biasFactor * (bias[row] as number);
      if (norm === undefined) continue;
      const scale = weights.get(output, 0) / (norm.deviation[row] as number);
      weights.set(output, 0, scale);
      own[output] = (bias[row] as number) - (norm.mean[row] as number) * scale;
    }
    return { weights, bias: own };
  });
}

/**
 * Returns the edits that write these maps into a layer, in the element type of its weights. A layer without a bias gets
 * a bias if the bias is not 0, at each of its nodes.
 */
export async function layerEdits(
  document: OnnxDocument,
  layer: LinearLayer,
  maps: readonly Linear[],
  openData: OpenData | undefined,
  fresh: (wanted: string) => string,
): Promise<Edit[]> {
  const geometry = geometryOf(layer);
  const { groups, depth, outputs } = geometry;
  const { factor, biasFactor } = factorsOf(layer);
  const norm = await normOf(document, layer, openData);
  const place = placesOf(layer, geometry);
  const raw = new Float64Array(groups * outputs * depth);
  const bias = new Float64Array(groups * outputs);
  for (const [group, { weights, bias: own }] of maps.entries()) {
    for (let output = 0; output < outputs; output++) {
      const row = group * outputs + output;
      for (let index = 0; index < depth; index++)
        raw[place(row, index)] = weights.get(output, index) / factor;
      bias[row] = (own[output] as number) / biasFactor;
      if (norm === undefined) continue;
      const scale = weights.get(output, 0);
      raw[row] = scale * (norm.deviation[row] as number);
      bias[row] = (own[output] as number) + (norm.mean[row] as number) * scale;
    }
  }
  const edits = [await weightEdit(document, layer.weight, raw)];
  if (layer.bias !== undefined) edits.push(await weightEdit(document, layer.bias, bias));
  else if (bias.some((value) => value !== 0)) {
    for (const { node } of usesOf(layer))
      edits.push(await biasEdit(document, document.graph, node, bias, layer.weight.type, fresh));
  }
  return edits;
}

/** Rounds a map to its element type, so that the measured map equals the written map. */
export function rounded({ weights, bias }: Linear, { type }: Weight): Linear {
  if (type === 'f64') return { weights, bias };
  const data = floatValues(weights.to1DArray(), type);
  return {
    weights: Matrix.from1DArray(weights.rows, weights.columns, data),
    bias: Float64Array.from(floatValues(bias, type)),
  };
}

/** Returns Gemm's alpha and beta; 1 for other operators. */
function factorsOf({ op, node }: LinearLayer): { factor: number; biasFactor: number } {
  if (op !== 'Gemm') return { factor: 1, biasFactor: 1 };
  return { factor: attribute(node, 'alpha')?.f ?? 1, biasFactor: attribute(node, 'beta')?.f ?? 1 };
}

async function normOf(document: OnnxDocument, layer: LinearLayer, openData: OpenData | undefined) {
  if (layer.statistics === undefined) return undefined;
  const [mean, variance] = layer.statistics;
  const epsilon = attribute(layer.node, 'epsilon')?.f ?? DEFAULT_EPSILON;
  const spread = await readWeight(document, variance, openData);
  return {
    mean: await readWeight(document, mean, openData),
    deviation: spread.map((value) => Math.sqrt(value + epsilon)),
  };
}

/** Returns a function that finds a weight's index from its output, counted over all groups, and its input. */
function placesOf(
  { op, node, weight }: LinearLayer,
  { groups, depth, outputs }: Geometry,
): (row: number, index: number) => number {
  if (op === 'ConvTranspose') {
    const size = elementCount(weight.tensor.dims.slice(2));
    const inGroup = depth / size;
    return (row, index) => {
      const [group, output] = [Math.floor(row / outputs), row % outputs];
      const [channel, tap] = [Math.floor(index / size), index % size];
      return ((group * inGroup + channel) * outputs + output) * size + tap;
    };
  }
  const transposed = op === 'MatMul' || (op === 'Gemm' && (attribute(node, 'transB')?.i ?? 0) === 0);
  if (transposed) return (row, index) => index * groups * outputs + row;
  return (row, index) => row * depth + index;
}
