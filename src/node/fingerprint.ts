import { dirname } from 'node:path';
import { type DataAccess, dataFiles } from '../files/external-data.js';
import type { OnnxDocument } from '../onnx/document.js';
import { hashFile } from './host.js';

/**
 * Calculates the SHA-256 of a model file, and of its files of external data in the order of their names. Throws `io` and
 * `external-data`.
 */
export async function fingerprint(
  path: string,
  document: OnnxDocument,
  access?: DataAccess | undefined,
): Promise<string[]> {
  const beside = await dataFiles(document, dirname(path), access);
  const names = beside.toSorted((a, b) => (a.location < b.location ? -1 : 1)).map(({ path }) => path);
  const hashes: string[] = [];
  for (const one of [path, ...names]) hashes.push(await hashFile(one));
  return hashes;
}
