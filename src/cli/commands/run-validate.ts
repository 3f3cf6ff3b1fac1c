import { basename } from 'node:path';
import { limitSamples } from '../../data/limit-samples.js';
import { isStream } from '../../files/read-stream.js';
import { whileUnchanged } from '../../files/unchanged.js';
import { type FormOptions, swapDocument } from '../../mish/swap.js';
import { withModel } from '../../node/load-model.js';
import { bytesCandidate, type Candidate, candidateAt, validateFiles } from '../../node/validate-files.js';
import { isPath } from '../../providers/provider.js';
import { renderTerminal } from '../../render/terminal.js';
import type { Report } from '../../validate/report-schema.js';
import type { Thresholds } from '../../validate/thresholds.js';
import { EXIT, interruptible } from '../io/exit.js';
import { readData } from '../io/read-data.js';
import { checkViews, writeViews } from '../io/views.js';
import type { DataFlags } from '../options/data-options.js';
import type { ManyFlags } from '../options/many-options.js';
import { annotateReport } from '../text/annotate-report.js';
import { hasColour } from '../text/colour.js';
import { reportWithFlags } from '../text/flags.js';
import { steps } from '../text/progress.js';
import { say, sayJson } from '../text/say.js';
import { clean } from '../text/text.js';

/** Options of the command, as parsed by commander. */
export interface Flags extends FormOptions, Thresholds, DataFlags, ManyFlags {
  beta?: number;
  providers?: string[];
  samples?: number;
  /** Earlier name of `samples`, for random inputs. */
  runs?: number;
  threads?: number;
  browser?: string;
  timeout: number;
  allowFallback?: boolean;
  deviceId?: number;
  perLayer?: boolean;
  profile?: boolean;
  latency: boolean;
  pairs?: number;
  seconds?: number;
  /** Limits as text, which the command adds to the thresholds. */
  require?: string[];
  json?: boolean;
  report?: string;
  junit?: string;
  force?: boolean;
  swappedDir?: string;
  debug?: boolean;
}

/** Compares two models, prints the report, and sets the exit code. */
export async function run(
  originalPath: string,
  swappedPath: string | undefined,
  flags: Flags,
): Promise<void> {
  const views = { html: flags.report, junit: flags.junit, force: flags.force };
  await checkViews(views, [originalPath, swappedPath, flags.data]); // fail before the long run, not after
  const bar = steps();
  const report = await compareModels(originalPath, swappedPath, flags, {
    signal: interruptible(),
    onProgress: bar.update,
  }).finally(bar.end);
  const shown = reportWithFlags(report);
  if (flags.json) sayJson(report);
  else say(renderTerminal(shown, { colour: hasColour(), clean }));
  await writeViews(shown, views);
  annotateReport(report, originalPath);
  process.exitCode = codeOf(report);
}

/** Default number of random inputs. */
const DEFAULT_RUNS = 4;

/** Signal and progress of a comparison. */
interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress?: ((step: string) => void) | undefined;
}

/** Compares two models, or a model with its swap in memory. Throws `io` if a file changes meanwhile. */
export async function compareModels(
  originalPath: string,
  swappedPath: string | undefined,
  flags: Flags,
  watch: Watch,
): Promise<Report> {
  const models = swappedPath === undefined ? [originalPath] : [originalPath, swappedPath];
  const files: string[] = [];
  for (const path of models) if (!(await isStream(path))) files.push(path);
  return whileUnchanged(files, () => compareFiles(originalPath, swappedPath, flags, watch));
}

async function compareFiles(
  originalPath: string,
  swappedPath: string | undefined,
  flags: Flags,
  watch: Watch,
): Promise<Report> {
  const options = { signal: watch.signal, session: { allowOutsideData: flags.allowOutsideData } };
  const original = await candidateAt(originalPath, basename(originalPath), options);
  const compare = (swapped: Candidate) => compareCandidates(original, swapped, flags, watch);
  if (swappedPath === undefined) return withSwapped(original, flags, compare);
  return compare(await candidateAt(swappedPath, basename(swappedPath), options));
}

async function compareCandidates(
  original: Candidate,
  swapped: Candidate,
  flags: Flags,
  watch: Watch,
): Promise<Report> {
  const { signal } = watch;
  const { samples, images, limit } = flags;
  const read = images === undefined ? flags : { ...flags, limit: limit ?? samples };
  const noise = samples ?? flags.runs ?? DEFAULT_RUNS;
  const dataOf = await readData(read, noise, { note: () => {}, signal }); // the report contains the notes
  const data: typeof dataOf = (inputs, outputs, dims) => {
    const all = dataOf(inputs, outputs, dims);
    return samples === undefined || all.source === 'seed' ? all : limitSamples(all, samples);
  };
  return validateFiles(original, swapped, {
    providers: flags.providers,
    data,
    session: {
      threads: flags.threads,
      allowFallback: flags.allowFallback,
      deviceId: flags.deviceId,
      allowOutsideData: flags.allowOutsideData,
    },
    browser: flags.browser,
    timeoutMs: Math.min(1000 * flags.timeout, 2 ** 31 - 1), // the largest delay of a timer
    latency: flags.latency ? { minPairs: flags.pairs, minSeconds: flags.seconds } : false,
    thresholds: flags,
    perLayer: flags.perLayer,
    profile: flags.profile,
    ...watch,
  });
}

/** Returns the exit code of a report: for a broken limit, and for a failed or unavailable provider. */
export function codeOf({ verdicts, providers }: Report): number {
  const failed =
    verdicts.some(({ passed, binding }) => binding && !passed) ||
    providers.some(({ status }) => status === 'failed');
  if (failed) return EXIT.threshold;
  return providers.some(({ status }) => status === 'unavailable') ? EXIT.unavailable : EXIT.done;
}

/** Swaps a model while `use` runs: in memory, or beside its data files if it has such files. */
async function withSwapped<T>(
  { model, info }: Candidate,
  { form, target, beta, allowOutsideData }: Flags,
  use: (swapped: Candidate) => Promise<T>,
): Promise<T> {
  const session = { allowOutsideData };
  return withModel(
    model,
    async ({ document, withEdited }) => {
      const { output, report } = await swapDocument(document, { form, target, beta });
      const name = `${info.name} (swapped in memory, ${report.form} form)`;
      return withEdited(output, async (copy) =>
        use(isPath(copy) ? await candidateAt(copy, name, { session }) : await bytesCandidate(copy, name)),
      );
    },
    { session },
  );
}
