import { OnnxMishError } from '../../base/error.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';
import { type FetchOptions, type FileSource, type Incoming, openFile } from './fetch.js';

/** An external data file: a file with tensors of a model. */
export interface ExternalFile {
  /** Location of the file, as in the model. */
  readonly path: string;
  readonly data: FileSource;
}

/**
 * Returns the external data files in the type of ONNX Runtime. Files that are not given are fetched from the model's
 * folder. Throws `external-data` for a missing file if the model has no URL, and for a location outside of the
 * model's folder; and what `openFile` throws.
 */
export async function externalFiles(
  locations: readonly string[],
  given: readonly ExternalFile[],
  model: Pick<Incoming, 'name' | 'url'>,
  options: FetchOptions,
): Promise<{ path: string; data: Uint8Array }[]> {
  const files: { path: string; data: Uint8Array }[] = [];
  for (const path of locations) {
    const source = given.find((file) => file.path === path)?.data ?? urlBeside(model, path);
    const content = await (await openFile(source, path, options)).content();
    files.push({ path, data: new Uint8Array(await content.arrayBuffer()) });
  }
  return files;
}

/** A model as ONNX Runtime opens it, with its external data. */
export interface Openable {
  readonly whole: Uint8Array;
  readonly external: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Moves external data into the model for a provider that reads no data files. Throws `external-data`. */
export async function openable(
  model: Uint8Array,
  external: Openable['external'],
  provider: WebProvider,
): Promise<Openable> {
  if (WEB[provider].takesExternalData || external.length === 0) return { whole: model, external };
  const { inlineFrom } = await import('../../onnx/data-in-memory.js'); // a page whose models have no data files does not load it
  return { whole: await (await inlineFrom(model, external)).bytes(), external: [] };
}

/** Returns the URL of a file in the model's folder or below. */
function urlBeside({ name, url }: Pick<Incoming, 'name' | 'url'>, location: string): URL {
  // A URL such as `blob:` or `data:` has no folder.
  if (url !== undefined && /^[a-z][\w+.-]*:\/\//i.test(url)) {
    const folder = new URL('.', url).href;
    const path = location.split('/').map(encodeURIComponent).join('/');
    const at = new URL(`./${path}`, folder);
    if (at.href.startsWith(folder) && at.href !== folder) return at;
  }
  throw new OnnxMishError('external-data', `the model's weights are in '${location}', which was not given`, {
    where: name,
    fix: `Pass the file: externalData: [{ path: '${location}', data }]`,
  });
}
