import { onnx } from '../../proto/onnx.js';
import type { MetadataEntry } from './document.js';
import { createReader, type Field, type Reader, Wire, walk } from './reader.js';
import { decode } from './scan-values.js';
import type { ByteSource } from './source.js';

/** Field number of ModelProto.metadata_props. */
export const METADATA_FIELD = 14;

/** Decodes an entry of metadata_props. */
export async function scanEntry(reader: Reader, { start, body, end }: Field): Promise<MetadataEntry> {
  reader.place = 'metadata_props';
  const { key, value } = decode(reader, onnx.StringStringEntryProto, await reader.bytes(body, end), body);
  return { key, value, span: { start, end } };
}

/** Reads only the metadata_props of a file, which may not be a model. */
export async function readMetadata(source: ByteSource): Promise<MetadataEntry[]> {
  const reader = createReader(source);
  const entries: Field[] = [];
  await walk(reader, 0, source.size, (field) => {
    if (field.number === METADATA_FIELD && field.wire === Wire.LEN) entries.push(field);
    return undefined;
  });
  const metadata: MetadataEntry[] = [];
  for (const field of entries) metadata.push(await scanEntry(reader, field));
  return metadata;
}
