#!/usr/bin/env node
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Node 22 and later keep compiled code in a folder of the user's; NODE_DISABLE_COMPILE_CACHE=1 switches that off.
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
if (enableCompileCache !== undefined) {
  const folder = cacheFolder();
  if (folder !== undefined) enableCompileCache(join(folder, 'onnx-mish'));
}

// Loaded late: the cache serves what is loaded after its start.
void import('./run.js').then(({ run }) => run(process.argv, true));

/** Returns the user's folder for caches; undefined without a home, as in a container that runs under any user number. */
function cacheFolder(): string | undefined {
  try {
    return process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  } catch {
    return undefined;
  }
}
