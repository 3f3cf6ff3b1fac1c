// Rewrites a model of other float types as a float32 model.
import { onnx } from '../../../proto/onnx.js';
import { OnnxMishError } from '../../base/error.js';
import { integer } from '../../base/plural.js';
import { decodeTensor } from '../tensor-data.js';
import { FLOAT_TYPES, type FloatType, floatType } from '../types.js';
import { floatBytes, floatsIn, type OpenData, readExternal, SIZES } from '../weights.js';
import { graphsOf, type ModelProto, nodesOf, type TensorProto } from './model-proto.js';

const F32 = FLOAT_TYPES.f32;
/** Attributes that hold an element type. */
const TYPE_ATTRIBUTES = new Set(['to', 'dtype', 'output_dtype', 'stash_type']);
const { EXTERNAL } = onnx.TensorProto.DataLocation;

/** The least and the greatest positive number of float32 with all its digits. */
const [LEAST, GREATEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127];

/** Returns a number of f64 that is neither 0 nor infinite as one that float32 has, too: masks have the lowest number of f64. */
const within = (value: number): number =>
  value === 0 || !Number.isFinite(value)
    ? value
    : Math.sign(value) * Math.min(GREATEST, Math.max(LEAST, Math.abs(value)));

/**
 * Rewrites the tensors, casts, inputs and outputs of the given float types as float32, which holds all numbers of f16 and bf16;
 * those of f64 are rounded, though not to 0 or infinity. Sequences and the declared types of functions stay. Moves their external data into the model.
 * Throws `external-data`, `malformed`.
 */
export async function asFloat32(
  model: ModelProto,
  types: ReadonlySet<FloatType>,
  openData: OpenData | undefined,
): Promise<void> {
  const changing = (elemType: number | null | undefined): FloatType | undefined => {
    const type = floatType(elemType ?? undefined);
    return type !== undefined && type !== 'f32' && types.has(type) ? type : undefined;
  };
  const tensors: TensorProto[] = [];
  for (const graph of graphsOf(model)) {
    for (const tensor of graph.initializer ?? []) tensors.push(tensor);
    for (const { values } of graph.sparseInitializer ?? []) if (values) tensors.push(values);
    graph.valueInfo = [];
    for (const { type } of [...(graph.input ?? []), ...(graph.output ?? [])]) {
      if (type?.tensorType && changing(type.tensorType.elemType)) type.tensorType.elemType = F32;
    }
  }
  for (const node of nodesOf(model)) {
    for (const one of node.attribute ?? []) {
      if (one.t) tensors.push(one.t);
      if (TYPE_ATTRIBUTES.has(one.name ?? '') && changing(one.i)) one.i = F32;
    }
  }
  for (const tensor of tensors) {
    const type = changing(tensor.dataType);
    if (type !== undefined) await convert(tensor, type, openData);
  }
}

async function convert(tensor: TensorProto, type: FloatType, openData: OpenData | undefined): Promise<void> {
  const { dims, name } = tensor;
  const label = name ?? '';
  const count = (dims ?? []).reduce((product, dim) => product * dim, 1);
  const entries = (tensor.externalData ?? []).map(({ key, value }) => [key ?? '', value ?? ''] as const);
  const raw =
    tensor.dataLocation === EXTERNAL
      ? await readExternal(new Map(entries), count * SIZES[type], 'the model', label, openData)
      : decodeTensor(onnx.TensorProto.encode(tensor).finish(), label).data;
  if (!(raw instanceof Uint8Array) || raw.length !== count * SIZES[type])
    throw new OnnxMishError(
      'malformed',
      `the tensor '${label}' [${dims}] holds ${integer(raw.length)} bytes`,
      {
        fix: 'Its data does not fit its shape; export the model again',
      },
    );
  for (const key of Object.keys(tensor)) delete tensor[key as keyof TensorProto];
  Object.assign(tensor, {
    name: label,
    dims,
    dataType: F32,
    rawData: floatBytes(type === 'f64' ? floatsIn(raw, type).map(within) : floatsIn(raw, type), 'f32'),
  });
}
