import type { MoveOptions, Written } from '../../node/transform-file.js';
import type { OnnxDocument } from '../../onnx/document.js';
import type { Spliced } from '../../onnx/splice.js';
import { progress } from '../text/progress.js';
import { say, sayJson } from '../text/say.js';
import { clean, describeCopied } from '../text/text.js';
import { interruptible } from './exit.js';
import { goesThrough, isPiped, isStderr, outputArgument, piped } from './files.js';
import { useLessMemory } from './lean-memory.js';

/** Options of every transformation. */
export type TransformFlags = MoveOptions & { readonly json?: boolean | undefined };

/** Note on the reports of some models. */
export interface ReportNote<Report> {
  concerns(report: Report): boolean;
  /** Returns the report without what the note says as well. */
  rest(report: Report): Report;
  say(written: { readonly input: string; readonly output: string; readonly report: Report }): void;
}

/** Transformation of a model: `file` reads and writes files, `document` is for pipes. */
interface Transformation<Options, Report> {
  readonly file: (input: string, options: Options) => Promise<Written<Report>>;
  readonly document: (
    document: OnnxDocument,
    options: Options,
  ) => Promise<{ output: Spliced; report: Report }>;
  /** Returns the lines that describe a report of these options. */
  readonly describe: (report: Report, options: Options) => readonly string[];
  /** Note to print after the report of some models, unless JSON is printed. */
  readonly note?: ReportNote<Report> | undefined;
}

/** Runs a transformation of files or pipes, with progress and Ctrl-C, and prints its report as text or JSON. */
export async function runTransformation<Options extends TransformFlags, Report extends object>(
  input: string,
  flags: Options,
  { file, document, describe, note }: Transformation<Options, Report>,
): Promise<void> {
  await useLessMemory(input);
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
  const moved = describeMoved(flags.externalData, written.data);
  // A note would become a part of a model that is written to standard error.
  const shown = note?.concerns(report) && !isStderr(written.output) ? note : undefined;
  const lines = describe(shown?.rest(report) ?? report, flags);
  say([head, ...lines, ...describeCopied(written.copied), ...moved].join('\n'));
  shown?.say({ input, output: written.output, report });
}

/** Describes where the weights of an output are, if they were moved. */
function describeMoved(choice: MoveOptions['externalData'], data: string | undefined): string[] {
  if (choice === 'inline') return ['  the weights are in the model, where undo leaves them'];
  if (data === undefined) return [];
  return [`  the weights are in ${clean(data)}, where undo leaves them`];
}
