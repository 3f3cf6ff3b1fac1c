import type { BufferBytes } from '../base/buffer-bytes.js';
import { OnnxMishError } from '../base/error.js';
import { arrayFor, elementCount, type Tensor, type Tensors, type TypedArray } from './tensor.js';

/** Header of a tensor. It holds strings; all other elements are bytes after the headers. */
interface Header {
  readonly name: string;
  readonly elemType: string;
  readonly dims: readonly number[];
  readonly strings?: readonly string[];
}

/** Alignment of the data in bytes, so that a typed array of any type can view the data. */
const ALIGNMENT = 8;

const aligned = (length: number) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/**
 * Encodes tensors as bytes for the transfer between this process and a page: the length of a JSON header (u32), the
 * header, and the elements in the machine's byte order, which both sides share.
 */
export function encodeTensors(tensors: Tensors): BufferBytes {
  const entries = Object.entries(tensors);
  const header = entries.map(([name, { elemType, dims, data }]): Header => {
    return { name, elemType, dims, ...(ArrayBuffer.isView(data) ? {} : { strings: data }) };
  });
  const text = new TextEncoder().encode(JSON.stringify(header));
  const views = entries.map(([, { data }]) => (ArrayBuffer.isView(data) ? bytesOf(data) : new Uint8Array()));
  const start = aligned(4 + text.length);
  const bytes = new Uint8Array(views.reduce((sum, view) => sum + aligned(view.length), start));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let offset = start;
  for (const view of views) {
    bytes.set(view, offset);
    offset += aligned(view.length);
  }
  return bytes;
}

function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Decodes the bytes of `encodeTensors` into tensors that view the bytes. Throws `run-failed` for invalid bytes. */
export function decodeTensors(bytes: BufferBytes): Tensors {
  const broken = (cause?: unknown) =>
    new OnnxMishError('run-failed', 'the page did not send valid tensors', { cause });
  if (bytes.length < 4) throw broken();
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let header: readonly Header[];
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  } catch (cause) {
    throw broken(cause);
  }
  let offset = aligned(4 + length);
  const tensors: [string, Tensor][] = [];
  for (const { name, elemType, dims, strings } of header) {
    if (strings !== undefined) {
      tensors.push([name, { elemType, dims, data: strings }]);
      continue;
    }
    const shape = arrayFor(elemType, 0);
    if (shape === undefined) throw broken();
    const count = elementCount(dims);
    const end = offset + count * shape.BYTES_PER_ELEMENT;
    if (end > bytes.length) throw broken();
    const Type = shape.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => TypedArray;
    // A typed array needs an aligned offset in the whole buffer, and `bytes` may start anywhere in the buffer.
    const own = (bytes.byteOffset + offset) % ALIGNMENT !== 0;
    const data = own
      ? new Type(bytes.slice(offset, end).buffer, 0, count)
      : new Type(bytes.buffer, bytes.byteOffset + offset, count);
    tensors.push([name, { elemType, dims, data }]);
    offset += aligned(end - offset);
  }
  return Object.fromEntries(tensors);
}
