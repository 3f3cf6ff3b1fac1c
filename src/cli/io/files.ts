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
import { loadedModel, withScannedModel } from '../../node/load-model.js';
import { withMovedData } from '../../node/move-data.js';
import type { MoveOptions, Written } from '../../node/transform-file.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { scan } from '../../onnx/scan.js';
import { type ByteSource, toSource } from '../../onnx/source.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { giveOutputToModel } from '../text/say.js';
import { standardOutput } from '../text/stdout.js';

/** Opens the model of an argument: a file, or standard input for `-`. The caller closes it. */
export async function modelArgument(
  path: string,
  signal?: AbortSignal | undefined,
): Promise<ByteSource & Pick<ModelFile, 'close' | 'checkUnchanged'> & Partial<Pick<ModelFile, 'handle'>>> {
  if (!(await isPiped(path))) return openModel(path);
  // The writer of a pipe may take forever; Ctrl-C has to end the wait.
  const bytes = new Uint8Array(await readAll(path, { signal, maxBytes: constants.MAX_LENGTH }));
  const name = path === '-' ? 'standard input' : path;
  return { ...toSource(bytes, name), close: async () => {}, checkUnchanged: async () => {} };
}

/** Calls `use` with a scanned model: that of a path while its data files are open, or the one in memory without a path. */
export async function withRunnable<T>(
  document: OnnxDocument,
  path: string | undefined,
  access: DataAccess,
  use: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  if (path !== undefined) return withScannedModel(path, document, use, access);
  const { source } = document;
  return use(loadedModel(source.bytes ?? (await source.read(0, source.size)), document, access));
}

/** Returns whether a model is read from or written to a pipe: `-`, or the path of a pipe, a device or a file descriptor. */
export async function isPiped(path: string): Promise<boolean> {
  return path === '-' || isStream(path);
}

/** Returns whether an output is a pipe. A device is not a pipe: a report is written to it as to a file. */
export async function goesThrough(output: string): Promise<boolean> {
  return output === '-' || ((await isPiped(output)) && !(await isDevice(output)));
}

/** Returns whether an output is standard output: `-`, or a path such as /dev/stdout. */
export const isStdout = (path: string): boolean => path === '-' || STDOUT.test(path);

/** Returns whether an output is standard error. */
export const isStderr = (path: string): boolean => STDERR.test(path);

const STDERR = /^\/(dev\/(stderr|fd\/2)|proc\/self\/fd\/2)$/;

const STDOUT = /^\/(dev\/(stdout|fd\/1)|proc\/self\/fd\/1)$/;

/**
 * Returns the output path: the value of `-o`, or standard output for a model from standard input. Throws `bad-usage` for a
 * model from another pipe without `-o`.
 */
export async function outputArgument(input: string, output: string | undefined): Promise<string | undefined> {
  const chosen = output ?? (input === '-' ? '-' : undefined);
  if (chosen === undefined && (await isPiped(input))) {
    throw new OnnxMishError('bad-usage', 'a model from a pipe has no folder to write to', {
      where: input,
      fix: 'Give the output with -o; - is standard output',
    });
  }
  const toStdout = chosen !== undefined && isStdout(chosen);
  if (toStdout) giveOutputToModel();
  return toStdout ? '-' : chosen;
}

/**
 * Runs a transformation whose input or output is a pipe. A pipe has no folder for data files, so the model must not have
 * external data.
 */
export async function piped<Report>(
  input: string,
  output: string,
  options: MoveOptions,
  work: (document: OnnxDocument) => Promise<{ output: Spliced; report: Report }>,
): Promise<Written<Report>> {
  const toStream = output !== '-' && (await isPiped(output));
  if (output === '-') await refuseInputAsOutput(input);
  else if (!toStream) await checkTarget(output, options.force ?? false);
  const source = await modelArgument(input, options.signal);
  try {
    const document = await scan(source);
    if (options.externalData === 'inline' && !(await isPiped(input)))
      return await withMovedData(input, document, 'inline', output, options, source.checkUnchanged, (moved) =>
        send(moved.document),
      );
    refuseExternal(
      document,
      'Name files for input and output: a model with external data cannot go through a pipe',
    );
    if (options.externalData === 'file')
      throw new OnnxMishError('bad-usage', 'a pipe has no folder for a data file', {
        where: output,
        fix: 'Name files for input and output',
      });
    return await send(document);
  } finally {
    await source.close();
  }

  async function send(document: OnnxDocument): Promise<Written<Report>> {
    const { output: model, report } = await work(document);
    if (output === '-') await streamModel(model, standardOutput(), options);
    else if (toStream) {
      await withSink(output, (sink) => streamModel(model, sink, options, output), options.signal);
    } else await writeModel(model, output, options);
    await source.checkUnchanged(); // the output is already sent, but the error still tells the user
    return { output, copied: [], report };
  }
}

/** Throws `io` for an input that is also standard output: the shell has emptied it already, unless it appends. */
async function refuseInputAsOutput(input: string): Promise<void> {
  const stat = (fd: number) => fstatSync(fd, { bigint: true });
  const [from, to] = [input === '-' ? stat(0) : await statOf(input), stat(1)];
  if (!to.isFile() || from?.dev !== to.dev || from.ino !== to.ino) return;
  throw new OnnxMishError('io', 'standard output is redirected to this file', {
    where: input === '-' ? 'standard input' : input,
    fix: 'Redirect standard output to another file: the shell empties it before the command starts',
  });
}

/** Reads a JSON file, pipe or device; standard input for `-`. Throws as `readText` does, and `bad-usage` for invalid JSON. */
export async function readJson(path: string): Promise<unknown> {
  const content = await readText(path);
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new OnnxMishError('bad-usage', 'the file is not valid JSON', {
      where: path === '-' ? 'standard input' : path,
      fix: 'Check the file',
      cause,
    });
  }
}
