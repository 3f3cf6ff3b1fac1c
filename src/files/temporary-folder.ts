import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFile } from './file-error.js';
import { folderPrefix, sweepFolders } from './temporary-names.js';

/**
 * Creates a temporary folder with `purpose` in its name; the caller removes it. Also removes such folders of killed
 * processes. Throws `io`.
 */
export async function temporaryFolder(purpose: string): Promise<string> {
  const place = tmpdir();
  await sweepFolders(place);
  // Without waiting, so that no signal comes between the folder and what its caller does to remove it.
  return onFile(place, async () => mkdtempSync(join(place, folderPrefix(purpose))));
}
