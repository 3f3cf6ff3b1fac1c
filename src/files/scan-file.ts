import type { OnnxDocument } from '../onnx/document.js';
import { hasOutsideNumbers } from '../onnx/outside-numbers.js';
import { scan } from '../onnx/scan.js';
import type { ByteSource } from '../onnx/source.js';
import { type DataAccess, withDataFiles } from './external-data.js';
import { isStream } from './read-stream.js';

/**
 * Scans the opened model at a path, `-` for standard input. Also reads the tensors of one number that are in its data files, which
 * tell what nodes compute. Those outside of its folder stay unknown unless `access` allows them, and those of a model from a pipe
 * always do. Throws as `scan` does.
 */
export async function scanFile(
  path: string,
  source: ByteSource,
  access?: DataAccess | undefined,
): Promise<OnnxDocument> {
  const document = await scan(source);
  if (hasOutsideNumbers(document) && path !== '-' && !(await isStream(path)))
    await withDataFiles(path, document, async () => {}, access);
  return document;
}
