import type { Node } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { DataType } from '../onnx/types.js';
import type { Quantization } from './quantization.js';
import { directlyReached } from './quantized-reach.js';
import type { NewScale, Requantisation } from './requantise.js';

// On x64, ONNX Runtime turns pairs of QuantizeLinear and DequantizeLinear from int8 to uint8, and has fast layers for uint8
// only. Integers with other readers stay int8, and then the layer before them runs on floats.

function asUnsigned(quantization: Quantization): Quantization {
  if (quantization.elemType !== DataType.INT8) return quantization;
  return { ...quantization, elemType: DataType.UINT8, zeroPoint: quantization.zeroPoint + 128 };
}

/** Returns whether only DequantizeLinear nodes, whose zero points change with it, read the integers of a node. */
function hasOnlyDequantizers(
  index: GraphIndex,
  { node, scope, dequantizers }: NewScale & { node: Node },
): boolean {
  return index
    .uses(scope, node.outputs[0] ?? '')
    .every((use) => use.kind === 'input' && dequantizers.has(use.node));
}

/** Turns int8 to uint8 where no pair of QuantizeLinear and DequantizeLinear is left: the same steps, with another offset. */
export function unsignedWhereNeeded(plan: Requantisation, index: GraphIndex): Requantisation {
  const rescaled = new Map(plan.rescaled);
  const turned = new Map<Node, Quantization>();
  const turn = (node: Node, entry: NewScale | undefined) => {
    if (entry === undefined || !hasOnlyDequantizers(index, { ...entry, node })) return undefined;
    const quantization = asUnsigned(entry.quantization);
    turned.set(node, quantization);
    rescaled.set(node, { ...entry, quantization });
    return quantization;
  };
  const placed = plan.placed.map((place) => {
    const { input, isNew, source, before, reached, site, onIntegers } = place;
    if (input?.elemType !== DataType.INT8) return place;
    if (!onIntegers) return isNew ? { ...place, input: asUnsigned(input) } : place;
    const output = directlyReached(reached)[0]?.node;
    const entry =
      source && before
        ? { scope: site.scope, quantization: input, dequantizers: new Set([before]) }
        : undefined;
    if (output === undefined || (!isNew && (source === undefined || turned.has(source)))) return place;
    if (turn(output, rescaled.get(output)) === undefined) return place;
    const from = source === undefined ? asUnsigned(input) : turn(source, rescaled.get(source) ?? entry);
    return { ...place, input: from ?? input };
  });
  return { ...plan, placed, rescaled };
}
