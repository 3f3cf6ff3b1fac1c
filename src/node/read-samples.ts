import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { unzip } from '../data/npz.js';
import { onFile } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { decodeTensor } from '../onnx/tensor-data.js';

/** Samples from disk: arrays as the bytes of their .npy by name, or decoded test cases. */
export type SampleFiles =
  /** Arrays of an .npz, or the array of an .npy under its file's name. */
  | { readonly kind: 'arrays'; readonly files: ReadonlyMap<string, Uint8Array> }
  /** ONNX test cases: files input_0.pb, ..., and output_0.pb, ... */
  | { readonly kind: 'cases'; readonly cases: readonly TestCase[] };

export interface TestCase {
  readonly inputs: ReturnType<typeof decodeTensor>[];
  readonly outputs: ReturnType<typeof decodeTensor>[];
}

/** Reads an .npz, an .npy or a folder in the ONNX test layout. Throws `io` or `bad-data`. */
export async function readSamples(path: string, signal?: AbortSignal): Promise<SampleFiles> {
  const info = await onFile(path, () => stat(path));
  if (info.isDirectory()) return { kind: 'cases', cases: await readCases(path) };
  const bytes = await readRegular(path);
  if (bytes[0] === 0x93) return { kind: 'arrays', files: new Map([[basename(path, '.npy'), bytes]]) };
  return { kind: 'arrays', files: await unzip(bytes, path, signal) };
}

/** Reads the test cases in `folder` itself, or in its test_data_set_0, test_data_set_1, ... */
async function readCases(folder: string): Promise<TestCase[]> {
  const names = await onFile(folder, () => readdir(folder));
  const sets = names.filter((name) => name.startsWith('test_data_set_')).sort(byNumber);
  const folders = sets.length > 0 ? sets.map((name) => join(folder, name)) : [folder];
  const cases = await Promise.all(folders.map(readCase));
  if (cases.every(({ inputs }) => inputs.length === 0)) {
    throw new OnnxMishError('bad-data', 'the folder has no input_0.pb', {
      where: folder,
      fix: 'Give an .npz, an .npy, or a folder with input_0.pb and so on',
    });
  }
  return cases;
}

async function readCase(folder: string): Promise<TestCase> {
  const names = (await onFile(folder, () => readdir(folder))).sort(byNumber);
  const read = (pattern: RegExp) =>
    Promise.all(
      names
        .filter((name) => pattern.test(name))
        .map(async (name) => {
          const path = join(folder, name);
          return decodeTensor(await readRegular(path), path);
        }),
    );
  return { inputs: await read(/^input_\d+\.pb$/), outputs: await read(/^output_\d+\.pb$/) };
}

function byNumber(a: string, b: string): number {
  return Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]) || (a < b ? -1 : 1);
}
