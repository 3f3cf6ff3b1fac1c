import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFile } from './file-error.js';
import { folderPrefix, sweepFolders } from './temporary-names.js';

/**
 * Makes a new temporary folder, named for what it is for; who asks removes it. Those of processes that were killed are removed on
 * the way. Throws `io`.
 */
export async function temporaryFolder(purpose: string): Promise<string> {
  const place = tmpdir();
  await sweepFolders(place);
  return onFile(place, () => mkdtemp(join(place, folderPrefix(purpose))));
}
