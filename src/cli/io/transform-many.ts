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
import type { TransformFlags } from './transform.js';

/** A transformation for many models. */
export interface ManyTransformation<Options, Report> {
  readonly file: (input: string, options: Options) => Promise<Written<Report>>;
  /** What the names of its outputs are made with. */
  readonly tag: string;
  /** What is done: swapped. */
  readonly done: string;
  /** The table's columns after those of the paths. */
  readonly head: readonly string[];
  readonly row: (report: Report) => readonly string[];
  /** Nothing is written, and no folder is made. */
  readonly dry?: boolean | undefined;
  /** What --json says of a report; all of it unless given. */
  readonly document?: ((report: Report) => object) | undefined;
}

/** Runs a transformation on all models that paths and globs name. Throws `bad-usage` as long as nothing is written. */
export async function transformMany<Options extends TransformFlags & ManyFlags, Report extends object>(
  many: Patterns,
  flags: Options,
  {
    file,
    tag,
    done,
    head,
    row,
    dry = false,
    document = (report) => report,
  }: ManyTransformation<Options, Report>,
): Promise<void> {
  const { inputs, leftOut } = await expandInputs(many, { tag, outDir: flags.outDir });
  const jobs = planOutputs(inputs, tag, flags.outDir);
  sayLeftOut(leftOut);
  const shared: SharedData = new Map(
    jobs.map(({ input, output }) => [
      resolve(output),
      { from: resolve(input), copied: Promise.resolve(), users: 1 },
    ]),
  );
  const folders: string[] = [];
  try {
    await runMany<Job, Written<Report>>(
      jobs,
      {
        async run({ input, output }, signal) {
          if (!dry && flags.outDir !== undefined) await makeFolder(dirname(output), folders);
          return file(input, { ...flags, output, signal, shared }).catch(adviseOutDir);
        },
        document: ({ report, ...written }) => ({ ...(dry ? {} : written), ...document(report) }),
        head: [dry ? 'would be' : 'output', ...head],
        rows: ({ report }, { output }) => [[output, ...row(report)]],
        textColumns: 2,
        done,
      },
      flags,
    );
  } finally {
    // Those in which nothing was put, the innermost first.
    for (const folder of folders.toSorted().toReversed()) await rmdir(folder).catch(() => {});
  }
}

/** Advice on single files is about their output. */
function adviseOutDir(error: unknown): never {
  if (!(error instanceof OnnxMishError) || error.option?.output === undefined) throw error;
  const { output, ...option } = error.option;
  throw withDetails(error, { option: { outDir: output, ...option } });
}
