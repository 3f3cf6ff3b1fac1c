import type { Node } from '../../onnx/document.js';
import type { Loaded } from './loaded.js';

/** Returns the exponent, 2 or 3, of a Pow that one or two Mul can replace. WebGL computes Pow for positive bases only. */
export function powerOf(node: Node, { constant, dims }: Loaded): number | undefined {
  if (node.opType !== 'Pow' || node.domain !== '') return undefined;
  const [x = '', y = ''] = node.inputs;
  const exponent = constant(y);
  const isScalar = exponent !== undefined && exponent.dims.length <= (dims(x)?.length ?? 0);
  return isScalar && (exponent.scalar === 2 || exponent.scalar === 3) ? exponent.scalar : undefined;
}
