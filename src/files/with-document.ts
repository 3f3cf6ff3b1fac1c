import type { OnnxDocument } from '../onnx/document.js';
import { openModel } from './model-file.js';
import { scanFile } from './scan-file.js';
import { checkedBy } from './unchanged.js';

/**
 * Runs `use` with the document of a model file. Throws what `scan` throws, and `io`, also if the file changes
 * meanwhile.
 */
export async function withDocument<T>(
  path: string,
  use: (document: OnnxDocument) => Promise<T> | T,
): Promise<T> {
  const file = await openModel(path);
  try {
    return await checkedBy(file.checkUnchanged, async () => use(await scanFile(path, file)));
  } finally {
    await file.close();
  }
}
