import { rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OnnxMishError, withDetails } from '../../base/error.js';
import type { SharedData } from '../../files/shared-data.js';
import { makeFolder } from '../../files/write-atomically.js';
import type { Written } from '../../node/transform-file.js';
import type { ManyFlags } from '../options/many-options.js';
import type { Patterns } from '../options/patterns.js';
import { expandInputs } from './inputs.js';
import { runMany, sayLeftOut } from './many.js';
import { type Job, planOutputs } from './outputs.js';
import type { ReportNote, TransformFlags } from './transform.js';

/** A transformation for many models. */
export interface ManyTransformation<Options, Report> {
  /** Name of the command. */
  readonly command: string;
  readonly file: (input: string, options: Options) => Promise<Written<Report>>;
  /** Part of the output names, such as `mish` in `model.mish.onnx`. */
  readonly tag: string;
  /** Word for the models that did not fail, such as `swapped`. */
  readonly done: string;
  /** Returns whether a model had nothing to do; such models are counted apart, as `nothing`. */
  readonly unchanged?: ((report: Report) => boolean) | undefined;
  readonly nothing?: string | undefined;
  /** Columns of the table after the paths. */
  readonly head: readonly string[];
  readonly row: (report: Report) => readonly string[];
  /** Whether to write no file and make no folder. */
  readonly dry?: boolean | undefined;
  /** Returns the fields of a report in the JSON document; all by default. */
  readonly document?: ((report: Report) => object) | undefined;
  /** Note to print once, for the first model that it concerns, unless JSON is printed. */
  readonly note?: ReportNote<Report> | undefined;
}

/** Runs a transformation on all models of paths and globs. Throws `bad-usage` before anything is written. */
export async function transformMany<Options extends TransformFlags & ManyFlags, Report extends object>(
  many: Patterns,
  flags: Options,
  {
    command,
    file,
    tag,
    done,
    unchanged,
    nothing,
    head,
    row,
    dry = false,
    note,
    document = (report) => report,
  }: ManyTransformation<Options, Report>,
): Promise<void> {
  const { inputs, leftOut } = await expandInputs(many, { tag, outDir: flags.outDir });
  const jobs = planOutputs(inputs, tag, flags.outDir);
  sayLeftOut(leftOut);
  const shared: SharedData = new Map(
    jobs.map(({ input, output }) => [
      resolve(output),
      { from: resolve(input), copied: Promise.resolve(true), users: 1 },
    ]),
  );
  const folders: string[] = [];
  let noted: ({ readonly input: string } & Written<Report>) | undefined;
  try {
    await runMany<Job, Written<Report>>(
      jobs,
      {
        async run({ input, output }, signal) {
          if (!dry && flags.outDir !== undefined) await makeFolder(dirname(output), folders);
          const written = await file(input, { ...flags, output, signal, shared }).catch(adviseOutDir);
          if (note?.concerns(written.report)) noted ??= { input, ...written };
          return written;
        },
        document: ({ report, ...written }) => ({ ...(dry ? {} : written), ...document(report) }),
        head: [dry ? 'would be' : 'output', ...head],
        rows: ({ report }, { output }) => [[output, ...row(report)]],
        textColumns: 2,
        done,
        nothing,
        unchanged: unchanged && (({ report }) => unchanged(report)),
      },
      { ...flags, command },
    );
    if (noted !== undefined && !flags.json) note?.say(noted);
  } finally {
    // Remove empty folders, innermost first.
    for (const folder of folders.toSorted().toReversed()) await rmdir(folder).catch(() => {});
  }
}

/** Throws the error with `outDir` instead of `output` in its advice. */
function adviseOutDir(error: unknown): never {
  if (!(error instanceof OnnxMishError) || error.option?.output === undefined) throw error;
  const { output, ...option } = error.option;
  throw withDetails(error, { option: { outDir: output, ...option } });
}
