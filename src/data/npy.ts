import { breathe } from '../base/breathe.js';
import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import { arrayFor, elementCount, type Tensor, type TypedArray } from '../providers/tensor.js';

const TYPES: Readonly<Record<string, string>> = {
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
  b1: 'bool',
  i1: 'i8',
  u1: 'u8',
  i2: 'i16',
  u2: 'u16',
  i4: 'i32',
  u4: 'u32',
  i8: 'i64',
  u8: 'u64',
};

/** Number of elements of a column-major array to move between calls of `breathe`. */
const BLOCK_ELEMENTS = 2 ** 16;

/**
 * Reads a NumPy array file (format 1 to 3, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * The elements stay in `bytes` if their alignment allows it; column-major data is copied to row-major order. Throws
 * `bad-data` for pickled objects, big-endian and structured types, and data whose length differs from the shape.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseNpy } from 'onnx-mish/validate';
 *
 * const { elemType, dims, data } = parseNpy(await readFile('x.npy'), 'x.npy');
 */
export function parseNpy(bytes: Uint8Array, name: string): Tensor {
  const { tensor, fortran } = parse(bytes, name);
  if (!fortran) return tensor;
  const { data, fill } = rowMajor(tensor);
  for (const _ of fill);
  return { ...tensor, data };
}

/** Reads a NumPy array file like `parseNpy`, and handles signals meanwhile. Throws `aborted`, too. */
export async function readNpy(bytes: Uint8Array, name: string, signal?: AbortSignal): Promise<Tensor> {
  const { tensor, fortran } = parse(bytes, name);
  if (!fortran) return tensor;
  const { data, fill } = rowMajor(tensor);
  for (const _ of fill) await breathe(signal, name);
  return { ...tensor, data };
}

/** Returns the array of a file in the element order of the file. */
function parse(bytes: Uint8Array, name: string): { tensor: ArrayTensor; fortran: boolean } {
  const bad = (what: string, fix = 'Save it again with numpy.save') =>
    new OnnxMishError('bad-data', what, { where: name, fix });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || view.getUint16(4) !== 0x5059) {
    throw bad('not an .npy array');
  }
  const major = bytes[6] ?? 0;
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) throw bad('the file ends inside its header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const type = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*True/.test(header);
  const shape = /'shape'\s*:\s*\(([^)]*)\)/.exec(header)?.[1];
  if (shape === undefined) throw bad('its header has no shape');
  if (type === undefined)
    throw bad('its elements are records with fields', 'Save each field as an array: array["field"]');
  if (type.includes('O')) {
    throw bad(
      'it holds pickled Python objects, which are never loaded',
      'Convert it to numbers before numpy.save',
    );
  }
  const elemType = TYPES[type.slice(1)];
  if (elemType === undefined)
    throw bad(
      `its type '${type}' is not among bool, int8 to int64, uint8 to uint64 and float16 to float64`,
      conversionOf(type),
    );
  if (type.startsWith('>'))
    throw bad('it is big-endian', `Save it as little-endian: array.astype('<${type.slice(1)}')`);
  const dims = shape.split(',').flatMap((part) => (part.trim() === '' ? [] : [Number(part)]));
  const data = dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && arrayFor(elemType, 0);
  if (!data) throw bad(`its shape (${shape}) is not a valid shape`);
  const body = bytes.subarray(start + length);
  const expected = elementCount(dims) * data.BYTES_PER_ELEMENT;
  if (body.length !== expected)
    throw bad(`it has ${integer(body.length)} bytes of data, but its shape needs ${integer(expected)}`);
  return { tensor: { elemType, dims, data: elements(body, data) }, fortran };
}

/** Returns how to make numbers of elements of another type. `V` is what NumPy writes for bfloat16. */
function conversionOf(type: string): string {
  const kind = type[1] ?? '';
  if ('US'.includes(kind))
    return 'Save class numbers as the model counts them; for classes in alphabetical order, numpy.unique(array, return_inverse=True)[1]. Inputs of texts cannot be given';
  if (kind === 'c') return 'Save its parts as arrays: array.real and array.imag';
  if ('Mm'.includes(kind)) return "Convert it before numpy.save: array.astype('int64')";
  return "Convert it before numpy.save: array.astype('float32')";
}

/** A tensor with numbers. */
type ArrayTensor = Tensor & { readonly data: TypedArray };

/** Returns bytes as elements of the type of `like`, in the same memory if their alignment allows it. */
function elements(body: Uint8Array, like: TypedArray): TypedArray {
  const Kind = like.constructor as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => TypedArray;
  const size = like.BYTES_PER_ELEMENT;
  const { buffer, byteOffset } = body.byteOffset % size === 0 ? body : Uint8Array.from(body); // `slice` of a Buffer does not copy
  return new Kind(buffer, byteOffset, body.length / size);
}

/** Returns an array for the elements in row-major order, and the steps that fill it. */
function rowMajor({ data, dims, elemType }: ArrayTensor): { data: TypedArray; fill: Iterable<void> } {
  const out = arrayFor(elemType, data.length) ?? data;
  return { data: out, fill: filled(out, data, dims) };
}

/** Fills `out` in row-major order: in column-major data the axes of the index are reversed. */
function* filled(out: TypedArray, data: TypedArray, dims: readonly number[]): Generator<void> {
  const index = dims.map(() => 0);
  for (let to = 0; to < data.length; to++) {
    if (to % BLOCK_ELEMENTS === 0) yield;
    let from = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) from = from * (dims[axis] ?? 1) + (index[axis] ?? 0);
    out[to] = data[from] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (dims[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
}
