// Moves weights from the model into a data file.

import type { OnnxDocument, Span, StoredTensor } from './document.js';
import { joinSources } from './join-sources.js';
import { createReader, type Field, type Reader, Wire, walk } from './reader.js';
import type { ByteSource } from './source.js';
import { type Edit, replace, type Spliced, splice } from './splice.js';
import { rawBytes } from './tensor-bytes.js';
import { DataType } from './types.js';
import { viewOf } from './view.js';
import { DATA, dataEdit, externalEdit, externalRange, type OpenData } from './weights.js';

/** Size from which a tensor moves, as in ONNX's Python package. */
const MIN_BYTES = 1024;
/** Alignment of each tensor in the data file. */
const ALIGNMENT_BYTES = 64;
/** Alignment of a tensor of at least `LARGE_BYTES`, so that a runtime can map it into memory. */
const PAGE_BYTES = 4096;
const LARGE_BYTES = 2 ** 20;

/** A model whose weights are in a data file, and the content of the file. */
export interface Externalized {
  readonly model: Spliced;
  /** The data file; undefined if no weight is large enough. */
  readonly data: Spliced | undefined;
}

/**
 * Moves the initializers of at least 1024 bytes, and all external data except that of sparse tensors, into one data file at
 * `location`. A tensor without elements comes into the model. Reads no data before the results are read. Throws `external-data` as `externalRange` does.
 */
export async function externalizeData(
  document: OnnxDocument,
  location: string,
  openData: OpenData,
): Promise<Externalized> {
  const { source } = document;
  const found = await storedData(document, openData);
  const joined = joinSources([source, ...found.map(({ data }) => data)]);
  const edits: Edit[] = [];
  const pieces: (Span | Uint8Array)[] = [];
  let size = 0;
  for (const { tensor, data, start, end } of found) {
    const length = end - start;
    if (length === 0) {
      // A tensor without elements needs no data file, which may have nothing else.
      edits.push(await dataEdit(document, { name: tensor.name, tensor }, new Uint8Array(0)));
      continue;
    }
    const alignment = length < LARGE_BYTES ? ALIGNMENT_BYTES : PAGE_BYTES;
    const offset = Math.ceil(size / alignment) * alignment;
    if (offset > size) pieces.push(new Uint8Array(offset - size));
    const base = joined.offsetOf(data);
    pieces.push({ start: base + start, end: base + end });
    size = offset + length;
    edits.push(await externalEdit(document, { name: tensor.name, tensor }, { location, offset, length }));
  }
  const data = size === 0 ? undefined : replace(viewOf({ source: joined, size, pieces }), []);
  return { model: splice(source, edits), data };
}

/** A tensor, and the position of its data in a source. */
interface StoredData extends Span {
  readonly tensor: StoredTensor;
  readonly data: ByteSource;
}

/** Finds the tensors to move: those with external data, and large initializers. */
async function storedData(document: OnnxDocument, openData: OpenData): Promise<StoredData[]> {
  const { source, external, scopes } = document;
  const found: StoredData[] = [];
  for (const { tensor } of external) {
    const bytes = rawBytes(tensor);
    if (tensor.external === undefined || tensor.frame === undefined || bytes === undefined) continue;
    const range = await externalRange(tensor.external, bytes, source.name, tensor.name, openData);
    found.push({ tensor, ...range });
  }
  const reader = createReader(source);
  for (const { initializers } of scopes) {
    for (const tensor of initializers.values()) {
      if (tensor.external !== undefined) continue;
      const range = await rangeInModel(reader, tensor);
      if (range !== undefined) found.push({ tensor, data: source, ...range });
    }
  }
  return found;
}

/** Types whose packed field has the bytes of raw_data. */
const PACKED: Readonly<Record<number, number>> = {
  [DATA.float]: DataType.FLOAT,
  [DATA.double]: DataType.DOUBLE,
};

/** Returns the position of a large tensor's data in the model; undefined unless it is in one field, as raw bytes. */
async function rangeInModel(reader: Reader, tensor: StoredTensor): Promise<Span | undefined> {
  const { frame, elemType, name } = tensor;
  const bytes = rawBytes(tensor);
  if (frame === undefined || bytes === undefined || bytes < MIN_BYTES) return undefined;
  if (frame.end - frame.start < bytes) return undefined;
  reader.place = `the tensor '${name}'`;
  const fields: Field[] = [];
  await walk(reader, frame.start, frame.end, (field) => {
    const isData = field.number === DATA.raw || PACKED[field.number] === elemType;
    if (isData && fields.length < 2) fields.push(field);
    return undefined;
  });
  const [only, ...more] = fields;
  if (only === undefined || more.length > 0 || only.wire !== Wire.LEN) return undefined;
  return only.end - only.body === bytes ? { start: only.body, end: only.end } : undefined;
}
