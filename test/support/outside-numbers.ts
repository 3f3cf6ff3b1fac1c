import type { onnx } from '../../proto/onnx.js';
import { type ModelParts, model } from './model.js';
import {
  add,
  clip,
  div,
  type Expression,
  exp,
  greater,
  log,
  max,
  min,
  mul,
  relu,
  sigmoid,
  sub,
  tanh,
  where,
} from './spellings.js';

const x = 'x';
/** Activations and arithmetic whose numbers tell what they are. */
export const EXPRESSIONS: readonly Expression[] = [
  mul(x, tanh(log(add(1, exp(x))))),
  mul(x, sigmoid(mul(2, x))),
  min(relu(x), 6),
  clip(relu(x), 0, 6),
  max(x, mul(x, 0.25)),
  where(greater(x, 0), x, sub(exp(x), 1)),
  div(mul(x, clip(add(x, 3), 0, 6)), 6),
  log(add(0.5, relu(x))),
  min(max(x, -1), 1),
];

/** All activations that a swap can replace. */
export const ALL = ['relu', 'leakyrelu', 'swish', 'elu', 'relu6', 'hardswish', 'gelu', 'prelu'];

/** A model, and the same with the data of its initializers in a file, each at an offset of its own. They become scalars unless `keepsDims`. */
export function both(parts: ModelParts, location = 'm.data', { keepsDims = false } = {}) {
  const inside = (parts.initializers ?? []).map((one) => (keepsDims ? one : { ...one, dims: [] }));
  const data = new Uint8Array(64 * inside.length);
  const outside = inside.map(({ rawData, ...one }, at): onnx.ITensorProto => {
    const bytes = rawData ?? new Uint8Array();
    data.set(bytes, 64 * at);
    const entries = { location, offset: 64 * at, length: bytes.length };
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value: String(value) }));
    return { ...one, dataLocation: 1, externalData };
  });
  const nodes = parts.nodes;
  return {
    data,
    inside: model({ ...parts, nodes, initializers: inside }),
    outside: model({ ...parts, nodes, initializers: outside }),
  };
}
