import { onnx } from '../../proto/onnx.js';
import { Reader } from '../../proto/wire.js';
import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { DataType, typeName } from './types.js';

/** A decoded tensor: raw little-endian bytes, or strings. */
export interface TensorData {
  readonly name: string;
  readonly elemType: string;
  readonly dims: readonly number[];
  readonly data: Uint8Array | readonly string[];
}

const RAW_DATA = 'Write its elements as raw_data, as onnx.numpy_helper.from_array does';
/** Maximum number of elements in typed fields. Each takes 8 bytes of memory, even if it took a byte in the file. */
const MAX_TYPED_ELEMENTS = 2 ** 26;

/**
 * Decodes a serialised TensorProto with its data, such as input_0.pb of ONNX's test layout. 64-bit integers are exact in
 * raw_data, and up to 2^53 in typed fields. Throws `bad-data`, also for more than `most` elements in typed fields.
 */
export function decodeTensor(bytes: Uint8Array, where: string, most = MAX_TYPED_ELEMENTS): TensorData {
  const reader = Reader.create(bytes);
  reader.left = most;
  let proto: onnx.TensorProto;
  try {
    proto = onnx.TensorProto.decode(reader);
  } catch (cause) {
    if (reader.left < 0) {
      throw new OnnxMishError(
        'bad-data',
        `the tensor has more than ${plural(most, 'element')} outside of raw_data`,
        {
          where,
          fix: RAW_DATA,
          cause,
        },
      );
    }
    throw new OnnxMishError('bad-data', 'this is not a tensor', {
      where,
      fix: 'Give a serialised TensorProto',
      cause,
    });
  }
  const elemType = typeName(proto.dataType);
  const base = { name: proto.name, elemType, dims: proto.dims };
  if (proto.dataType === DataType.STRING) {
    const text = new TextDecoder();
    return { ...base, data: proto.stringData.map((value) => text.decode(value)) };
  }
  return { ...base, data: proto.rawData.length > 0 ? proto.rawData : typedBytes(proto, where) };
}

/** Converts numbers to integers of at most this size: the largest ones are rounded up when they are read. */
const upTo = (most: bigint) => (value: number) => {
  const whole = BigInt(value);
  return whole > most ? most : whole;
};

function typedBytes(proto: onnx.TensorProto, where: string): Uint8Array {
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  switch (proto.dataType) {
    case DataType.FLOAT:
      return bytes(Float32Array.from(proto.floatData));
    case DataType.DOUBLE:
      return bytes(Float64Array.from(proto.doubleData));
    case DataType.INT64:
      return bytes(BigInt64Array.from(proto.int64Data, upTo(2n ** 63n - 1n)));
    case DataType.UINT64:
      return bytes(BigUint64Array.from(proto.uint64Data, upTo(2n ** 64n - 1n)));
    case DataType.UINT32:
      return bytes(Uint32Array.from(proto.uint64Data));
    case DataType.INT32:
      return bytes(Int32Array.from(proto.int32Data));
    case DataType.FLOAT16:
    case DataType.BFLOAT16:
    case DataType.UINT16:
    case DataType.INT16:
      return bytes(Uint16Array.from(proto.int32Data));
    case DataType.BOOL:
    case DataType.INT8:
    case DataType.UINT8:
      return bytes(Uint8Array.from(proto.int32Data));
    default:
      throw new OnnxMishError(
        'bad-data',
        `elements of type ${typeName(proto.dataType)} cannot be read outside of raw_data`,
        { where, fix: RAW_DATA },
      );
  }
}
