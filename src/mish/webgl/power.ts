import type { Node } from '../../onnx/document.js';
import type { Loaded } from './loaded.js';

/** The exponent of a Pow that is written as one or two Mul: 2 or 3, which WebGL has for positive bases only. */
export function powerOf(node: Node, { constant, dims }: Loaded): number | undefined {
  if (node.opType !== 'Pow' || node.domain !== '') return undefined;
  const [x = '', y = ''] = node.inputs;
  const exponent = constant(y);
  const isScalar = exponent !== undefined && exponent.dims.length <= (dims(x)?.length ?? 0);
  return isScalar && (exponent.scalar === 2 || exponent.scalar === 3) ? exponent.scalar : undefined;
}
