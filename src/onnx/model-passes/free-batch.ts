// Lets a model with a fixed batch dimension take batches of any size.
import { onnx } from '../../../proto/onnx.js';
import { decodeTensor } from '../tensor-data.js';
import { DataType } from '../types.js';
import {
  attributeOf,
  bodiesOf,
  isOperator,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './model-proto.js';

const BATCH = 'batch';
const MAX_RANK = 16;

/**
 * Frees the first dimension of these inputs and of all outputs, and the first element of the constant shapes of Reshape nodes that
 * depend on the inputs. Whether the result computes the same must be checked by a run: a model may use a constant batch elsewhere.
 */
export function freeBatch(model: ModelProto, inputs: ReadonlySet<string>, batch: number): void {
  const { graph } = model;
  if (!graph) return;
  graph.valueInfo = [];
  for (const { name, type } of graph.input ?? []) {
    const dim = type?.tensorType?.shape?.dim;
    if (dim?.length && inputs.has(name ?? '')) dim[0] = { dimParam: BATCH };
  }
  for (const { type } of graph.output ?? []) {
    const dim = type?.tensorType?.shape?.dim;
    if (dim?.[0]?.dimValue === batch) dim[0] = { dimParam: BATCH };
  }
  const shapes = shapesIn(graph.initializer ?? [], graph.node ?? []);
  const dependent = new Set(inputs);
  const nodes: NodeProto[] = [];
  for (const node of graph.node ?? []) {
    const depends = (node.input ?? []).some((name) => dependent.has(name)) || bodiesOf(node).length > 0;
    if (depends) for (const name of node.output ?? []) dependent.add(name);
    const shape = isOperator(node, 'Reshape') ? shapes.get(node.input?.[1] ?? '') : undefined;
    const freed = dependent.has(node.input?.[0] ?? '') && shape ? freedShape(node, shape, batch) : undefined;
    if (freed !== undefined) {
      const name = `onnx-mish/shape/${node.output?.[0] ?? ''}`;
      nodes.push(constantNode(name, freed));
      node.input = [node.input?.[0] ?? '', name];
    }
    nodes.push(node);
  }
  graph.node = nodes;
}

/** Returns a Reshape's shape for any batch; undefined if its first element is not the batch. */
function freedShape(node: NodeProto, shape: readonly number[], batch: number): number[] | undefined {
  if (shape[0] !== batch) return undefined;
  // -1 takes what is left; if another element is -1, 0 copies the dimension of the input.
  if (!shape.includes(-1)) return [-1, ...shape.slice(1)];
  return attributeOf(node, 'allowzero')?.i ? undefined : [0, ...shape.slice(1)];
}

/** Reads the small int64 constants of a graph. */
function shapesIn(initializers: readonly TensorProto[], nodes: readonly NodeProto[]): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const add = (name: string, tensor: TensorProto | null | undefined) => {
    const [count = 1, ...more] = tensor?.dims ?? [];
    if (tensor?.dataType !== DataType.INT64 || more.length > 0 || count > MAX_RANK || tensor.dataLocation)
      return;
    const { data } = decodeTensor(onnx.TensorProto.encode(tensor).finish(), name);
    if (!(data instanceof Uint8Array)) return;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    shapes.set(
      name,
      Array.from({ length: data.length / 8 }, (_, at) => Number(view.getBigInt64(8 * at, true))),
    );
  };
  for (const tensor of initializers) add(tensor.name ?? '', tensor);
  for (const node of nodes) {
    if (!isOperator(node, 'Constant')) continue;
    const ints = attributeOf(node, 'value_ints')?.ints;
    if (ints?.length) shapes.set(node.output?.[0] ?? '', [...ints]);
    else add(node.output?.[0] ?? '', attributeOf(node, 'value')?.t);
  }
  return shapes;
}

function constantNode(name: string, values: readonly number[]): NodeProto {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  const t = { dataType: DataType.INT64, dims: [values.length], rawData };
  const type = onnx.AttributeProto.AttributeType.TENSOR;
  return { opType: 'Constant', input: [], output: [name], attribute: [{ name: 'value', type, t }] };
}
