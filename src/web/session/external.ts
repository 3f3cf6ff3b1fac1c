import { OnnxMishError } from '../../base/error.js';
import { type FetchOptions, type FileSource, type Incoming, openFile } from './fetch.js';

/** A file that holds tensors of a model. */
export interface ExternalFile {
  /** Its location, as the model names it. */
  readonly path: string;
  readonly data: FileSource;
}

/**
 * The files that a model's tensors are in, as ONNX Runtime takes them: those that are given, the others from beside the
 * model. Throws `external-data` for one that is neither given nor to be found there, and as `openFile` does.
 */
export async function externalFiles(
  locations: readonly string[],
  given: readonly ExternalFile[],
  model: Pick<Incoming, 'name' | 'url'>,
  options: FetchOptions,
): Promise<{ path: string; data: Uint8Array }[]> {
  const files: { path: string; data: Uint8Array }[] = [];
  for (const path of locations) {
    const source = given.find((file) => file.path === path)?.data ?? beside(model, path);
    const content = await (await openFile(source, path, options)).content();
    files.push({ path, data: new Uint8Array(await content.arrayBuffer()) });
  }
  return files;
}

/** The address of a file beside the model, in its folder or below. */
function beside({ name, url }: Pick<Incoming, 'name' | 'url'>, location: string): URL {
  if (url !== undefined) {
    const folder = new URL('.', url).href;
    const path = location.split('/').map(encodeURIComponent).join('/');
    const at = new URL(`./${path}`, folder);
    if (at.href.startsWith(folder) && at.href !== folder) return at;
  }
  throw new OnnxMishError('external-data', `its weights are in '${location}'`, {
    where: name,
    fix: `Give that file: externalData: [{ path: '${location}', data }]`,
  });
}
