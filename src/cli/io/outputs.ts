import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { outputName } from '../../node/transform-file.js';
import { type Input, placeBelow } from './inputs.js';

/** A model to read and the file to write. */
export interface Job {
  readonly input: string;
  readonly output: string;
}

/**
 * Returns the output path of each model: beside the model, or below `outDir`, at its path relative to `base`. Throws
 * `bad-usage` if two outputs have the same path, or if an output would replace an input.
 */
export function planOutputs(inputs: readonly Input[], tag: string, outDir?: string | undefined): Job[] {
  const jobs = inputs.map((input) => {
    const name = outDir === undefined ? input.path : join(outDir, placeBelow(input));
    return { input: input.path, output: outputName(name, tag) };
  });
  const models = new Map(inputs.map(({ path }) => [fileKey(path), path]));
  const taken = new Map<string, string>();
  for (const { input, output } of jobs) {
    const other = taken.get(fileKey(output));
    if (other !== undefined) throw refused(`'${other}' and '${input}' would both be written here`, output);
    if (models.has(fileKey(output))) {
      throw refused(`the output of '${input}' would replace this input`, output);
    }
    taken.set(fileKey(output), input);
  }
  return jobs;
}

/** Returns a key that is equal for equal paths, and for links to one file. Windows and macOS ignore case. */
function fileKey(path: string): string {
  const full = existsSync(path) ? realpathSync(path) : resolve(path);
  return process.platform === 'win32' || process.platform === 'darwin' ? full.toLowerCase() : full;
}

function refused(what: string, where: string): OnnxMishError {
  return new OnnxMishError('bad-usage', what, {
    where,
    fix: 'Quote the glob ("models/**/*.onnx"), so that the folders in it are kept, or run the command once for each folder',
  });
}
