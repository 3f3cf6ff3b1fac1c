import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import { openModel } from './model-file.js';
import { checkedBy } from './unchanged.js';

/** Has the document of a model file for a while. Throws as `scan` does, and `io`, also when the file has changed meanwhile. */
export async function withDocument<T>(
  path: string,
  use: (document: OnnxDocument) => Promise<T> | T,
): Promise<T> {
  const file = await openModel(path);
  try {
    return await checkedBy(file.checkUnchanged, async () => use(await scan(file)));
  } finally {
    await file.close();
  }
}
