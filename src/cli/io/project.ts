import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { doubtOf } from '../config/find-config.js';

/**
 * Returns the nearest folder with packages, at or above the current folder, up to that of the package or the repository.
 * Packages are run as code: above the current folder, the search stops where another user could put a file.
 */
export function projectFolder(): string | undefined {
  for (let folder = resolve('.'); ; ) {
    if (existsSync(join(folder, 'node_modules'))) return folder;
    const isTop = ['package.json', '.git'].some((name) => existsSync(join(folder, name)));
    const above = dirname(folder);
    if (isTop || above === folder || doubtOf(above) !== undefined) return undefined;
    folder = above;
  }
}
