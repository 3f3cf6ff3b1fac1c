import { constants } from 'node:buffer';
import { fstatSync } from 'node:fs';
import { OnnxMishError } from '../../base/error.js';
import { type DataAccess, refuseExternal } from '../../files/external-data.js';
import { type ModelFile, openModel } from '../../files/model-file.js';
import { isStream, readAll, readText } from '../../files/read-stream.js';
import { statOf } from '../../files/same-file.js';
import { checkTarget, isDevice } from '../../files/write-atomically.js';
import { streamModel, writeModel } from '../../files/write-model.js';
import { withSink } from '../../files/write-stream.js';
import { loadedModel } from '../../node/load-model.js';
import type { FileOptions, Written } from '../../node/transform-file.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { scan } from '../../onnx/scan.js';
import { type ByteSource, toSource } from '../../onnx/source.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { giveStandardOutput } from '../text/say.js';
import { standardOutput } from '../text/stdout.js';

/** The model that an argument names: a file, or standard input for `-`. The caller closes it. */
export async function modelArgument(
  path: string,
  signal?: AbortSignal | undefined,
): Promise<ByteSource & Pick<ModelFile, 'close' | 'checkUnchanged'> & Partial<Pick<ModelFile, 'handle'>>> {
  if (!(await isPiped(path))) return openModel(path);
  // Whoever pipes into us may take for ever; Ctrl-C has to end that, too.
  const bytes = new Uint8Array(await readAll(path, { signal, maxBytes: constants.MAX_LENGTH }));
  const name = path === '-' ? 'standard input' : path;
  return { ...toSource(bytes, name), close: async () => {}, checkUnchanged: async () => {} };
}

/** A scanned model to be run, from its path; from memory without one. */
export async function runnable(
  document: OnnxDocument,
  path: string | undefined,
  access: DataAccess,
): Promise<LoadedModel> {
  const { source } = document;
  return loadedModel(path ?? source.bytes ?? (await source.read(0, source.size)), document, access);
}

/** Whether a model comes or goes through a pipe: `-`, or a path of a pipe, a device or what was handed over open. */
export async function isPiped(path: string): Promise<boolean> {
  return path === '-' || isStream(path);
}

/** Whether an output goes through a pipe. A device is not a pipe: it takes a report as a file does. */
export async function goesThrough(output: string): Promise<boolean> {
  return output === '-' || ((await isPiped(output)) && !(await isDevice(output)));
}

/** Whether an output is standard output: `-`, or one of its paths. */
export const isStdout = (path: string): boolean => path === '-' || STDOUT.test(path);

const STDOUT = /^\/(dev\/(stdout|fd\/1)|proc\/self\/fd\/1)$/;

/**
 * Where a command writes: what `-o` says, or standard output for a model from standard input. Throws `bad-usage` for another pipe, which
 * has no name to make one of.
 */
export async function outputArgument(input: string, output: string | undefined): Promise<string | undefined> {
  const chosen = output ?? (input === '-' ? '-' : undefined);
  if (chosen === undefined && (await isPiped(input))) {
    throw new OnnxMishError('bad-usage', 'a model from a pipe has no folder to write to', {
      where: input,
      fix: 'Say with -o where the result goes, which is - for standard output',
    });
  }
  const toStdout = chosen !== undefined && isStdout(chosen);
  if (toStdout) giveStandardOutput();
  return toStdout ? '-' : chosen;
}

/**
 * A transformation with standard input or output on one side. Data files of a piped model have no folder
 * to be found in or copied to, so a piped model must not have any.
 */
export async function piped<Report>(
  input: string,
  output: string,
  options: FileOptions,
  work: (document: OnnxDocument) => Promise<{ output: Spliced; report: Report }>,
): Promise<Written<Report>> {
  const toStream = output !== '-' && (await isPiped(output));
  if (output === '-') await refuseInputAsOutput(input);
  else if (!toStream) await checkTarget(output, options.force ?? false);
  const source = await modelArgument(input, options.signal);
  try {
    const document = await scan(source);
    refuseExternal(document, 'Name files for input and output; such a model cannot go through a pipe');
    const { output: model, report } = await work(document);
    if (output === '-') await streamModel(model, standardOutput(), options);
    else if (toStream) {
      await withSink(output, (sink) => streamModel(model, sink, options, output), options.signal);
    } else await writeModel(model, output, options);
    await source.checkUnchanged(); // too late to take it back, not too late to say so
    return { output, copied: [], report };
  } finally {
    await source.close();
  }
}

/** Refuses to read a file that standard output goes to, which a shell has emptied already unless it appends. Throws `io`. */
async function refuseInputAsOutput(input: string): Promise<void> {
  const stat = (fd: number) => fstatSync(fd, { bigint: true });
  const [from, to] = [input === '-' ? stat(0) : await statOf(input), stat(1)];
  if (!to.isFile() || from?.dev !== to.dev || from.ino !== to.ino) return;
  throw new OnnxMishError('io', 'this is where standard output goes', {
    where: input === '-' ? 'standard input' : input,
    fix: 'Redirect it to another file: the shell empties that file before anybody can read it',
  });
}

/** A JSON file, pipe or device, or standard input for `-`. Throws as `readText`, or `bad-usage` when it is no JSON. */
export async function readJson(path: string): Promise<unknown> {
  const content = await readText(path);
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new OnnxMishError('bad-usage', 'this is no JSON', { where: path, fix: 'Check the file', cause });
  }
}
