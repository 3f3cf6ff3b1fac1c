import { integer } from '../../../base/plural.js';
import type { NamedFile, Problem } from '../protocol.js';

/** Converts the browser's files to names and Blobs. Files of a chosen folder are named by their paths. */
export function named(files: Iterable<File> | null | undefined): NamedFile[] {
  return [...(files ?? [])].map((file) => ({ name: file.webkitRelativePath || file.name, blob: file }));
}

/** Returns whether the name of a file is that of a model. */
export const isOnnx = ({ name }: Pick<NamedFile, 'name'>) => /\.onnx$/i.test(name);

const last = (path: string) => path.split(/[\\/]/).at(-1) ?? path;

/** Returns whether a file has the name of external data that the open model lacks. */
export function isAwaited({ name }: NamedFile, missing: readonly string[]): boolean {
  return missing.some((location) => last(location) === last(name));
}

/**
 * Decides which of the given files is a model and which are its external data. `model` is null if all files are
 * external data that the open model lacks.
 */
export function modelAmong(
  files: readonly NamedFile[],
  missing: readonly string[],
):
  | { readonly model: NamedFile | null; readonly external: readonly NamedFile[] }
  | { readonly problem: Problem } {
  if (files.some((file) => isAwaited(file, missing)) && !files.some(isOnnx)) {
    return { model: null, external: files };
  }
  const [only] = files;
  const models = files.length === 1 ? files : files.filter(isOnnx);
  const [model, second] = models;
  if (only === undefined) return { model: null, external: [] };
  if (model === undefined) {
    const what = 'no file name ends in .onnx';
    return { problem: { code: 'bad-usage', what, fix: 'Give the model together with its external data' } };
  }
  if (second !== undefined) {
    const what = `${integer(models.length)} of these files are models: ${models.map(({ name }) => name).join(', ')}`;
    return { problem: { code: 'bad-usage', what, fix: 'Give one model with its external data' } };
  }
  return { model, external: files.filter((file) => file !== model) };
}

/** Saves a Blob as a download with this name. */
export function download(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser starts to read after this task, and has finished within a minute.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Formats a size: `248 kB`. */
export function size(bytes: number): string {
  const [unit, divisor] =
    bytes < 1000 ? ['bytes', 1] : bytes < 1e6 ? ['kB', 1e3] : bytes < 1e9 ? ['MB', 1e6] : ['GB', 1e9];
  return `${Number((bytes / Number(divisor)).toPrecision(3))} ${unit}`;
}
