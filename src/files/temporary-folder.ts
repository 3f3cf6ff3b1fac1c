import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFile } from './file-error.js';

/** Makes a new temporary folder, named for what it is for; who asks removes it. Throws `io`. */
export function temporaryFolder(purpose: string): Promise<string> {
  return onFile(tmpdir(), () => mkdtemp(join(tmpdir(), `onnx-mish-${purpose}-`)));
}
