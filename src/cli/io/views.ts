import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { OnnxMishError, withDetails } from '../../base/error.js';
import { isStream } from '../../files/read-stream.js';
import { isSameFile } from '../../files/same-file.js';
import { checkTarget } from '../../files/write-atomically.js';
import { writeText as writeFile } from '../../files/write-model.js';
import { withSink } from '../../files/write-stream.js';
import type { Report } from '../../validate/report-schema.js';
import { giveOutputToReport } from '../text/say.js';
import { print } from '../text/stdout.js';
import { interruptible } from './exit.js';
import { isStdout } from './files.js';

/** Paths of the report's HTML and JUnit XML files, and whether to overwrite them. */
export interface ViewFlags {
  html?: string | undefined;
  junit?: string | undefined;
  force?: boolean | undefined;
}

/** Paths that a command reads, which a view must never replace, even with --force. */
export type ReadPaths = readonly (string | undefined)[];

/** Throws `io` if a view cannot be written, and `bad-usage` if it is the `output` of the command. Called before a long run. */
export async function checkViews(
  { html, junit, force = false }: ViewFlags,
  inputs: ReadPaths = [],
  output?: string | undefined,
): Promise<void> {
  for (const path of [html, junit]) {
    if (path === undefined) continue;
    if (isStdout(path)) giveOutputToReport();
    if (isStdout(path) || (await isStream(path))) continue;
    await withoutOutput(() => checkTarget(path, force));
    await refuseRead(path, inputs);
    if (output !== undefined && resolve(path) === resolve(output)) throw sameFile('output and report', path);
  }
  if (html !== undefined && /\.(jsonl?|xml)$/i.test(html)) {
    throw new OnnxMishError('bad-usage', 'the report is HTML, and this name is not one of HTML', {
      where: html,
      fix: `Name a file .html${/xml$/i.test(html) ? '' : ', or write --json > FILE'}`,
    });
  }
  if (html === undefined || junit === undefined) return;
  if (resolve(html) === resolve(junit) || (isStdout(html) && isStdout(junit)))
    throw sameFile('HTML and JUnit XML', html);
}

/** Throws `io` for the path of a file that the command reads. */
export async function refuseRead(path: string, inputs: ReadPaths): Promise<void> {
  for (const input of inputs) {
    if (input === undefined || !(await isSameFile(input, path))) continue;
    const fix = 'Choose another name';
    throw new OnnxMishError('io', 'this file is an input of the command', { where: path, fix });
  }
}

const sameFile = (what: string, where: string) =>
  new OnnxMishError('bad-usage', `${what} cannot go to the same file`, {
    where,
    fix: 'Choose another name for one of them',
  });

/** Writes the report as HTML and JUnit XML, if requested. Returns the paths of the files. */
export async function writeViews(
  report: Report,
  flags: ViewFlags,
  inputs: ReadPaths = [],
): Promise<string[]> {
  const { html, junit, force } = flags;
  await checkViews(flags, inputs);
  if (html !== undefined) {
    const { renderHtml } = await import('../../render/html/render.js');
    await writeTextTo(html, await renderHtml(report), { force });
  }
  if (junit !== undefined) {
    const { renderJunit } = await import('../../render/junit.js');
    await writeTextTo(junit, renderJunit(report), { force });
  }
  return [html, junit].filter((path) => path !== undefined);
}

/** Writes a text file, whole or not at all. Throws `io`, also for an existing file without `force`. */
export async function writeTextTo(
  path: string,
  text: string,
  { force = false }: { force?: boolean | undefined } = {},
): Promise<void> {
  if (isStdout(path)) return print(text);
  const signal = interruptible(); // from here on, an interrupt leaves no temporary file
  if (!(await isStream(path))) return withoutOutput(() => writeFile(path, text, force));
  const write = (sink: Writable) =>
    new Promise<void>((done, reject) => {
      sink.write(text, (error) => (error ? reject(error) : done()));
    });
  await withSink(path, write, signal);
}

/** Calls `work`, and removes `output` from the advice of its errors: `-o` does not apply to reports. */
export async function withoutOutput<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    const { output: _, ...option } = error.option ?? {};
    throw withDetails(error, { option: Object.keys(option).length > 0 ? option : undefined });
  }
}
