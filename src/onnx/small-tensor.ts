import type { OnnxDocument, StoredTensor } from './document.js';
import { decodeTensor } from './tensor-data.js';
import { DataType } from './types.js';
import { type OpenData, readExternal } from './weights.js';

const GETTERS: Readonly<Record<number, readonly [bytes: number, (view: DataView, at: number) => number]>> = {
  [DataType.INT64]: [8, (view, at) => Number(view.getBigInt64(at, true))],
  [DataType.INT32]: [4, (view, at) => view.getInt32(at, true)],
  [DataType.BOOL]: [1, (view, at) => view.getUint8(at)],
  [DataType.FLOAT]: [4, (view, at) => view.getFloat32(at, true)],
};

/**
 * Reads the elements of a tensor of i64, i32, bool or f32; undefined for other types, and for data in other files without `openData`.
 * Throws as `decodeTensor` and `readExternal` do.
 */
export async function readNumbers(
  { source }: OnnxDocument,
  tensor: StoredTensor | undefined,
  openData?: OpenData | undefined,
): Promise<number[] | undefined> {
  const getter = GETTERS[tensor?.elemType ?? 0];
  if (tensor?.frame === undefined || getter === undefined) return undefined;
  const { dims, external, frame, name } = tensor;
  if (external !== undefined && openData === undefined) return undefined;
  const [bytes, get] = getter;
  const count = dims.reduce((product, dim) => product * dim, 1);
  const data =
    external === undefined
      ? decodeTensor(await source.read(frame.start, frame.end - frame.start), name).data
      : await readExternal(external, count * bytes, source.name, name, openData);
  if (!(data instanceof Uint8Array)) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: Math.floor(data.length / bytes) }, (_, at) => get(view, bytes * at));
}
