// Files that the workbench's server serves.
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { type DataAccess, dataFiles, openDataFile } from '../../files/external-data.js';
import { onFile } from '../../files/file-error.js';
import { statOf } from '../../files/same-file.js';
import { checkedBy } from '../../files/unchanged.js';
import { writeTogether } from '../../files/write-atomically.js';
import { scan } from '../../onnx/scan.js';
import { runtimeFiles } from '../../providers/browser/provider.js';
import type { Content } from '../../providers/browser/server.js';
import { WEB, WEB_PROVIDERS } from '../../providers/web-providers.js';
import { HANDED_PATH, type Handed } from '../../web/workbench/protocol.js';
import { isPiped, modelArgument } from '../io/files.js';
import { withoutOutput } from '../io/views.js';

/** The files of ONNX Runtime Web that the page's providers load. */
const RUNTIME = new Set(
  WEB_PROVIDERS.flatMap((provider) => {
    const { build, wasm } = WEB[provider];
    return [build, ...(wasm === undefined ? [] : [`${wasm}.mjs`, `${wasm}.wasm`])];
  }).map((name) => `ort/${name}`),
);

type Entries = [name: string, content: Content][];

/** Lists the files of the page, and of ONNX Runtime under `ort/`. Throws `io` if the page was not built. */
export async function workbenchFiles(): Promise<Entries> {
  const root = dirname(createRequire(import.meta.url).resolve('onnx-mish/package.json'));
  const folder = join(root, 'dist', 'workbench');
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    const fix = 'Install onnx-mish again; in its repository, run `npm run build`';
    throw new OnnxMishError('io', 'the files of the workbench are missing', { where: folder, fix, cause });
  });
  const own = found
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name))
    .map((file): Entries[number] => [relative(folder, file).split(sep).join('/'), { file }]);
  const runtime = (await runtimeFiles()).map(([name, content]): Entries[number] => [`ort/${name}`, content]);
  return [...own, ...runtime];
}

/**
 * Writes the page and ONNX Runtime's builds for its providers into a new or empty folder. Throws `io`, also for a folder
 * that is not empty, and `aborted`.
 */
export async function exportWorkbench(
  folder: string,
  signal?: AbortSignal | undefined,
): Promise<{ files: number; bytes: number }> {
  const own = (await workbenchFiles()).filter(([name]) => !name.startsWith('ort/') || RUNTIME.has(name));
  let bytes = 0;
  const writeAll: Parameters<typeof writeTogether>[1] = async ({ makeFolder, write }) => {
    await makeFolder(folder);
    if ((await onFile(folder, () => readdir(folder))).length > 0) {
      const fix = 'Name a new or empty folder';
      throw new OnnxMishError('io', 'this folder is not empty', { where: folder, fix });
    }
    for (const [name, content] of own) {
      stopIfAborted(signal);
      const path = join(folder, name);
      await makeFolder(dirname(path));
      const all =
        content instanceof Uint8Array
          ? content
          : await readFile('file' in content ? content.file : content.handle);
      await write(path, (handle) => onFile(path, () => handle.writeFile(all)));
      bytes += all.length;
    }
  };
  await withoutOutput(() => writeTogether(false, writeAll));
  return { files: own.length, bytes };
}

/**
 * Opens and checks a model and its external data, and returns them with a list of their names. They stay open until the
 * process ends. Throws as `scan` does, `io` and `external-data`.
 */
export async function handedFiles(
  model: string,
  access?: DataAccess,
  signal?: AbortSignal | undefined,
): Promise<Entries> {
  const source = await modelArgument(model, signal);
  const beside = await checkedBy(source.checkUnchanged, async () => {
    const document = await scan(source);
    return (await isPiped(model)) ? [] : dataFiles(document, dirname(model), access);
  });
  const there: { name: string; url: string; content: Content }[] = [];
  for (const [index, file] of beside.entries()) {
    if ((await statOf(file.path)) === undefined) continue; // the page asks the user for missing files
    const { handle, size } = await openDataFile(file);
    there.push({ name: file.location, url: `model/${index}`, content: { handle, size } });
  }
  const handed: Handed = {
    model: { name: basename(model), url: 'model/model.onnx' },
    external: there.map(({ name, url }) => ({ name, url })),
  };
  return [
    [HANDED_PATH, new TextEncoder().encode(JSON.stringify(handed))],
    [
      handed.model.url,
      source.handle === undefined
        ? await source.read(0, source.size)
        : { handle: source.handle, size: source.size },
    ],
    ...there.map(({ url, content }): Entries[number] => [url, content]),
  ];
}

const POLICY =
  "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; connect-src 'self' blob: data:; " +
  "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self' 'wasm-unsafe-eval'";

/** Returns the content security policy of a file. Only the worker that draws charts may compile expressions (`unsafe-eval`). */
export function policyOf(name: string): string {
  return /^assets\/html-[\w-]+\.js$/.test(name) ? `${POLICY} 'unsafe-eval'` : POLICY;
}
