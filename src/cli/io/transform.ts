import type { FileOptions, Written } from '../../node/transform-file.js';
import type { OnnxDocument } from '../../onnx/document.js';
import type { Spliced } from '../../onnx/splice.js';
import { progress } from '../text/progress.js';
import { say, sayJson } from '../text/say.js';
import { clean, describeCopied } from '../text/text.js';
import { interruptible } from './exit.js';
import { goesThrough, isPiped, outputArgument, piped } from './files.js';
import { useLessMemory } from './lean-memory.js';

/** The options that every transformation has. */
export type TransformFlags = FileOptions & { readonly json?: boolean | undefined };

/** A transformation of a model, from path to path and, for a pipe, from a scanned document. */
interface Transformation<Options, Report> {
  readonly file: (input: string, options: Options) => Promise<Written<Report>>;
  readonly document: (
    document: OnnxDocument,
    options: Options,
  ) => Promise<{ output: Spliced; report: Report }>;
  /** What came of it, in lines for people. */
  readonly describe: (report: Report) => readonly string[];
}

/** Runs a transformation for the command line: files or pipes, progress, Ctrl-C, words or JSON. */
export async function runTransformation<Options extends TransformFlags, Report extends object>(
  input: string,
  flags: Options,
  { file, document, describe }: Transformation<Options, Report>,
): Promise<void> {
  useLessMemory();
  const output = await outputArgument(input, flags.output);
  const isThrough = (await isPiped(input)) || (output !== undefined && (await goesThrough(output)));
  const bar = progress('writing');
  const options = { ...flags, signal: interruptible(), onProgress: bar.update };
  const { report, ...written } = await (isThrough
    ? piped(input, output ?? '-', options, (scanned) => document(scanned, options))
    : file(input, options)
  ).finally(bar.end);
  if (flags.json) return sayJson({ input, ...written, ...report });
  const head = `${clean(input)} → ${clean(written.output)}`;
  say([head, ...describe(report), ...describeCopied(written.copied)].join('\n'));
}
