import type { OnnxDocument, StoredTensor } from './document.js';
import { decodeTensor } from './tensor-data.js';
import { DataType } from './types.js';

const GETTERS: Readonly<Record<number, readonly [bytes: number, (view: DataView, at: number) => number]>> = {
  [DataType.INT64]: [8, (view, at) => Number(view.getBigInt64(at, true))],
  [DataType.INT32]: [4, (view, at) => view.getInt32(at, true)],
  [DataType.FLOAT]: [4, (view, at) => view.getFloat32(at, true)],
};

/**
 * Reads the elements of a tensor of i64, i32 or f32; undefined for other types, and for data that the model file does not hold. Throws
 * as `decodeTensor` does.
 */
export async function readNumbers(
  { source }: OnnxDocument,
  tensor: StoredTensor | undefined,
): Promise<number[] | undefined> {
  const getter = GETTERS[tensor?.elemType ?? 0];
  if (tensor?.frame === undefined || tensor.external !== undefined || getter === undefined) return undefined;
  const { start, end } = tensor.frame;
  const { data } = decodeTensor(await source.read(start, end - start), tensor.name);
  if (!(data instanceof Uint8Array)) return undefined;
  const [bytes, get] = getter;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: Math.floor(data.length / bytes) }, (_, at) => get(view, bytes * at));
}
