import { type FileHandle, open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { flush } from '../../src/files/flush.js';
import { tempFolder } from '../support/folder.js';

/** Returns a handle as Yarn's Plug'n'Play gives one: it has the number of an open file, and cannot flush. */
const likeYarn = ({ fd }: { readonly fd: number }, error = new Error('Method not implemented.')) => {
  const fail = () => {
    throw error;
  };
  return { fd, sync: fail, datasync: fail } as unknown as FileHandle;
};

test('a handle that cannot flush is flushed by its number, and errors of the system surface', async () => {
  const folder = await tempFolder();
  const handle = await open(await folder.write('a', new Uint8Array(3)), 'r+');
  try {
    for (const what of ['sync', 'datasync'] as const) {
      await flush(handle, what);
      await flush(likeYarn(handle), what);
    }
    const full = Object.assign(new Error('not implemented: no space'), { code: 'ENOSPC' });
    await expect(flush(likeYarn(handle, full))).rejects.toBe(full);
  } finally {
    await handle.close();
  }
  await expect(flush(likeYarn({ fd: 2 ** 20 }))).rejects.toMatchObject({ code: 'EBADF' });
});
