import { OnnxMishError } from '../base/error.js';
import { inlineData } from './inline-data.js';
import { scan } from './scan.js';
import { type ByteSource, type ModelInput, openInput, toSource } from './source.js';
import type { Spliced } from './spliced.js';
import type { OpenData } from './weights.js';

/** Content of an external data file. */
export interface DataFileInMemory {
  /** Location of the file, as in the model. */
  readonly path: string;
  readonly data: Uint8Array | Blob | ByteSource;
}

/** Returns a function that opens files in memory. `where` is for messages. */
export function openFrom(files: readonly DataFileInMemory[], where: string): OpenData {
  const sources = new Map(files.map(({ path, data }) => [path, toSource(data, path)]));
  return async (location) => {
    const source = sources.get(location);
    if (source !== undefined) return source;
    throw new OnnxMishError(
      'external-data',
      `the model's weights are in '${location}', which was not given`,
      {
        where,
        fix: `Pass the file: { path: '${location}', data }`,
      },
    );
  };
}

/** Does what `inlineExternalData` does. */
export async function inlineFrom(model: ModelInput, files: readonly DataFileInMemory[]): Promise<Spliced> {
  const source = await openInput(model);
  return inlineData(await scan(source), openFrom(files, source.name));
}
