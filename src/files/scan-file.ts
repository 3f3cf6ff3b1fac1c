import type { OnnxDocument } from '../onnx/document.js';
import { hasOutsideNumbers } from '../onnx/outside-numbers.js';
import { scan } from '../onnx/scan.js';
import type { ByteSource } from '../onnx/source.js';
import { type DataAccess, withDataFiles } from './external-data.js';
import { isStream } from './read-stream.js';

/**
 * Scans the opened model at a path, `-` for standard input. Also reads the numbers that are in its data files: those outside of its
 * folder stay unknown unless that is allowed, as do those of a model from a pipe. Throws as `scan` does.
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
