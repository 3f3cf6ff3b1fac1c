import { OnnxMishError } from '../../base/error.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { scan } from '../../onnx/scan.js';
import { toSource } from '../../onnx/source.js';
import { type FetchOptions, type FileSource, type Incoming, openFile } from './fetch.js';

/** An external data file: a file with tensors of a model. */
export interface ExternalFile {
  /** Location of the file, as in the model. */
  readonly path: string;
  readonly data: FileSource;
}

/** The URLs of a model, and its name in messages. */
type ModelUrls = Pick<Incoming, 'name' | 'url' | 'asked'>;

/**
 * Returns the external data files in the type of ONNX Runtime. Files that are not given are fetched from the model's
 * folder. Throws `external-data` for a missing file if the model has no URL, and for a location outside of the
 * model's folder; and what `openFile` throws.
 */
export async function externalFiles(
  locations: readonly string[],
  given: readonly ExternalFile[],
  model: ModelUrls,
  options: FetchOptions,
): Promise<{ path: string; data: Uint8Array }[]> {
  const files: { path: string; data: Uint8Array }[] = [];
  for (const path of locations) {
    const source = given.find((file) => file.path === path)?.data;
    const content = await firstContent(
      source === undefined ? urlsBeside(model, path) : [source],
      path,
      options,
    );
    files.push({ path, data: new Uint8Array(await content.arrayBuffer()) });
  }
  return files;
}

/** Returns the content of the first source that has one. Throws what `openFile` throws for the last. */
async function firstContent(
  [source, ...others]: readonly [FileSource, ...FileSource[]],
  path: string,
  options: FetchOptions,
): Promise<Blob> {
  const content = openFile(source, path, options).then((file) => file.content());
  const [next, ...rest] = others;
  return next === undefined ? content : content.catch(() => firstContent([next, ...rest], path, options));
}

/** Reads a model again with its external data inside. Throws `external-data`. */
export async function rereadWithData(
  { source }: OnnxDocument,
  files: Awaited<ReturnType<typeof externalFiles>>,
): Promise<OnnxDocument> {
  const { inlineFrom } = await import('../../onnx/data-in-memory.js'); // a page whose models have no data files does not load it
  return scan(toSource(await (await inlineFrom(source, files)).bytes(), source.name));
}

/**
 * Returns the URLs of a file in the model's folder or below. After a redirection these are two folders: a server such as Hugging
 * Face's redirects each file to a storage of its own, where no file lies beside another. Throws `external-data` if there is none.
 */
function urlsBeside({ name, url, asked }: ModelUrls, location: string): [URL, ...URL[]] {
  const [first, second] = [urlBeside(url, location), urlBeside(asked, location)];
  if (first !== undefined)
    return second === undefined || second.href === first.href ? [first] : [first, second];
  if (second !== undefined) return [second];
  throw new OnnxMishError('external-data', `the model's weights are in '${location}', which was not given`, {
    where: name,
    fix: `Pass the file: externalData: [{ path: '${location}', data }]`,
  });
}

/** Returns the URL of a file in the folder of a URL or below; undefined for a URL without a folder, and for other locations. */
function urlBeside(url: string | undefined, location: string): URL | undefined {
  // A URL such as `blob:` or `data:` has no folder.
  if (url === undefined || !/^[a-z][\w+.-]*:\/\//i.test(url)) return undefined;
  const folder = new URL('.', url).href;
  const path = location.split('/').map(encodeURIComponent).join('/');
  const at = new URL(`./${path}`, folder);
  return at.href.startsWith(folder) && at.href !== folder ? at : undefined;
}
