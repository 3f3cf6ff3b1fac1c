import { dirname } from 'node:path';
import { type DataAccess, dataFiles } from '../files/external-data.js';
import type { OnnxDocument } from '../onnx/document.js';
import { hashBytes, hashFile } from './host.js';

/** SHA-256 of a model, and of the files that its external data is in, in the order of their names. Throws `io`, `external-data`. */
export async function fingerprint(
  model: string | Uint8Array,
  document: OnnxDocument,
  access?: DataAccess | undefined,
): Promise<string[]> {
  if (typeof model !== 'string') return [hashBytes(model)];
  const beside = await dataFiles(document, dirname(model), access);
  const names = beside.toSorted((a, b) => (a.location < b.location ? -1 : 1)).map(({ path }) => path);
  const hashes: string[] = [];
  for (const path of [model, ...names]) hashes.push(await hashFile(path));
  return hashes;
}
