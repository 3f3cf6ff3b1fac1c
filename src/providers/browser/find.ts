import { once } from 'node:events';
import { constants, rmSync } from 'node:fs';
import { access, lstat, readFile, rename, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { OnnxMishError } from '../../base/error.js';
import { temporaryFolder } from '../../files/temporary-folder.js';
import { resolveIfInstalled } from '../node/packages.js';
import { orAborted } from './launch.js';

/** Browser to start. */
export interface FoundBrowser {
  readonly path: string;
  /** Source of the path, such as an environment variable. */
  readonly source: string;
}

/** Environment variables with a browser's path, in order of precedence. */
const VARIABLES = ['ONNX_MISH_BROWSER', 'CHROME_PATH', 'CHROME_BIN'];

const COMMANDS = [
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'microsoft-edge-stable',
  'chromium',
  'chromium-browser',
];

/** Returns the paths of Chrome, Edge and Chromium on systems whose installers do not use the PATH. */
function installedPaths(): string[] {
  if (process.platform === 'darwin') {
    return ['Google Chrome', 'Microsoft Edge', 'Chromium'].map(
      (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
    );
  }
  if (process.platform === 'win32') {
    const folders = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap(
      (name) => process.env[name] ?? [],
    );
    const programs = ['Google\\Chrome\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];
    return programs.flatMap((program) => folders.map((folder) => join(folder, program)));
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command)));
}

/**
 * Finds the browser for web providers: the named browser, else an environment variable's (ONNX_MISH_BROWSER, CHROME_PATH,
 * CHROME_BIN), else an installed Chrome, Edge or Chromium, else the browser of the package @sparticuz/chromium, if
 * installed. Throws `bad-usage` for a named browser that cannot be run, `provider-unavailable` without a browser, `aborted`.
 */
export async function findBrowser(named?: string, signal?: AbortSignal | undefined): Promise<FoundBrowser> {
  const [variable] = VARIABLES.filter((name) => (process.env[name] ?? '') !== '');
  const asked = named ?? (variable === undefined ? undefined : process.env[variable]);
  if (asked !== undefined) {
    if (await canRun(asked))
      // An absolute path, since a bare name would be searched on the PATH.
      return { path: resolve(asked), source: named === undefined ? `$${variable}` : 'named' };
    throw new OnnxMishError('bad-usage', 'this browser cannot be run', {
      where: asked,
      ...(named === undefined
        ? { fix: `Correct the environment variable ${variable}` }
        : { fix: 'Correct the path', option: { browser: null } }),
    });
  }
  for (const path of installedPaths()) if (await canRun(path)) return { path, source: 'installed' };
  const packaged = await orAborted(packagedBrowser(), signal); // it unpacks itself for seconds
  if (packaged !== undefined) return packaged;
  throw new OnnxMishError('provider-unavailable', 'no browser was found', {
    fix: 'Install Chrome, Edge or Chromium, run `npm install @sparticuz/chromium` (Linux on x64), or name one',
    option: { browser: null },
  });
}

async function canRun(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * Returns the browser of @sparticuz/chromium, which unpacks itself into the temporary folder. A killed process would leave
 * an incomplete browser there. So the package unpacks into a new folder, which is then renamed and kept.
 */
async function packagedBrowser(): Promise<FoundBrowser | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const name = '@sparticuz/chromium'; // an optional package, not a dependency
  const module = resolveIfInstalled(name);
  if (module === undefined) return undefined;
  const uid = process.getuid?.() ?? 0;
  const version = await packageVersion(name);
  const folder = join(tmpdir(), `onnx-mish-chromium-${version}-${uid}`);
  const found = { path: join(folder, 'chromium'), source: name };
  // One after another, so that the next finds what the first has unpacked.
  const unpacked = unpacking.then(async () => {
    if (!(await canRun(found.path))) await unpack(module, folder);
  });
  unpacking = unpacked.catch(() => {});
  await unpacked;
  if (process.getuid === undefined || (await lstat(folder)).uid === uid) return found;
  throw new OnnxMishError('io', 'this folder belongs to somebody else, who may have put anything into it', {
    where: folder,
    fix: 'Remove it, or name a browser',
    option: { browser: null },
  });
}

let unpacking: Promise<void> = Promise.resolve();

/** The program of a thread that unpacks the package's browser into the temporary folder of its own environment. */
const UNPACK = `const chromium = require(require('node:worker_threads').workerData);\n(chromium.default ?? chromium).executablePath();`;

/** Unpacks the browser of a module into a new temporary folder, and renames that to `folder`. */
async function unpack(module: string, folder: string): Promise<void> {
  const own = await temporaryFolder('unpack');
  const discardAtEnd = () => removeAtEnd(own);
  process.once('exit', discardAtEnd); // an interrupted command does not wait for the package
  try {
    // A thread has an environment of its own: whatever else asks for the temporary folder meanwhile gets the usual one.
    const env = { ...process.env, TMPDIR: own };
    await once(new Worker(UNPACK, { eval: true, workerData: module, env }), 'exit');
    await rename(own, folder).catch(async (error) => {
      if (!(await canRun(join(folder, 'chromium')))) throw error; // otherwise another process was faster
    });
  } finally {
    process.removeListener('exit', discardAtEnd);
    rmSync(own, { recursive: true, force: true });
  }
}

/** Removes a folder while the process ends. Threads still write what they were asked to before, so it is removed several times. */
function removeAtEnd(folder: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let look = 0; look < 5; look++) {
    if (look > 0) Atomics.wait(clock, 0, 0, 10); // milliseconds
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

async function packageVersion(name: string): Promise<string> {
  // The package does not export its package.json, which lies in a folder above its module.
  for (
    let folder = resolveIfInstalled(name) ?? '/';
    folder !== join(folder, '..');
    folder = join(folder, '..')
  ) {
    try {
      const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      const { version, name: found } = manifest as { version?: string; name?: string };
      if (found === name && version !== undefined) return version;
    } catch {}
  }
  return 'unknown';
}
