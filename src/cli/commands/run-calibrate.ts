import { basename } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { type Calibration, calibrateModel } from '../../calibrate/calibrate.js';
import { parseBudget } from '../../calibrate/select/budget.js';
import { MAX_DEFAULT_SAMPLES } from '../../calibrate/split-samples.js';
import { globs } from '../../mish/sites.js';
import { activationTag, type FormOptions, type SwapOptions } from '../../mish/swap.js';
import { swapChoices } from '../../mish/swap-choices.js';
import { onCpu } from '../../node/calibrate-files.js';
import { withScannedModel } from '../../node/load-model.js';
import { outputName, transformFile } from '../../node/transform-file.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { renderCalibration } from '../../render/calibration.js';
import { readInBatches } from '../io/batches.js';
import { EXIT, interruptible } from '../io/exit.js';
import { isPiped, outputArgument, piped, withRunnable } from '../io/files.js';
import { requireSamples } from '../io/read-data.js';
import { checkViews, writeTextTo } from '../io/views.js';
import type { DataFlags } from '../options/data-options.js';
import { NOISE } from '../options/noise.js';
import { ALL_HINT } from '../text/flags.js';
import { steps } from '../text/progress.js';
import { say, sayJson, sayNote } from '../text/say.js';
import { clean, describeCopied } from '../text/text.js';
import { timeLeftClock } from '../text/time-left.js';

/** Options of the command, as parsed by commander. */
export interface Flags extends FormOptions, DataFlags, Pick<SwapOptions, 'to' | 'alpha' | 'int8'> {
  output?: string;
  force?: boolean;
  samples?: number;
  only?: string[];
  include?: string[];
  exclude?: string[];
  beta?: number | 'auto';
  curved?: number;
  keep?: string[];
  leaky?: 'mish' | 'mixture';
  fold?: boolean;
  judgeBy?: string[];
  layers?: string[];
  rows: number;
  ridge?: number;
  steps?: number;
  threads?: number;
  report?: string;
  all?: boolean;
  json?: boolean;
}

/** Number of noise samples; more add no information. */
const NOISE_SAMPLES = 512;

/** Note on a default that differs from earlier versions. */
const DEFAULT_CHANGED =
  'β follows from the samples and is folded into weights, which earlier versions did not do; --beta 1 gives their result';

/** Returns the output path of a model from a pipe; undefined for a file. Throws `bad-usage` without `output`. */
async function outputOfPipe(input: string, output: string | undefined): Promise<string | undefined> {
  if (!(await isPiped(input))) return undefined;
  if (output !== undefined) return outputArgument(input, output);
  throw new OnnxMishError('bad-usage', 'a model from a pipe has no folder to write to', {
    where: input,
    fix: 'Name a file with -o',
  });
}

/** Throws `bad-usage` for options that do not go together. */
function checkFlags(input: string, { output, beta, keep, curved, data, labels }: Flags): void {
  if (input === '-' || output === '-') {
    throw new OnnxMishError('bad-usage', 'calibrate reads and writes files', {
      fix: 'Name a file instead of -',
    });
  }
  if (keep !== undefined && beta !== 'auto') {
    throw new OnnxMishError('bad-usage', '--keep needs --beta auto', {
      fix: 'Add --beta auto, or use `onnx-mish swap --keep` to choose sites',
    });
  }
  if (curved !== undefined && typeof beta === 'number') {
    throw new OnnxMishError('bad-usage', '--curved chooses β, and --beta gives it', {
      fix: 'Leave out --curved or --beta',
    });
  }
  if (data === NOISE && labels !== undefined) {
    throw new OnnxMishError('bad-usage', 'noise has no labels', { fix: 'Give the real samples with --data' });
  }
}

/** Calibrates a model, writes the result, and prints a summary. */
export async function run(input: string, flags: Flags): Promise<void> {
  const { output, force, beta, rows, ridge, report: html } = flags;
  const samples = flags.samples ?? (flags.data === NOISE ? NOISE_SAMPLES : MAX_DEFAULT_SAMPLES);
  const tag = activationTag(flags);
  checkFlags(input, flags);
  requireSamples(flags, 'calibrate');
  const target = output ?? outputName(input, tag);
  await checkViews({ html, force }, [input, flags.data], target); // fail before the long run, not after
  const from = await outputOfPipe(input, output);
  const matches = globs(flags.layers);
  const { fold, int8, seed } = flags;
  const signal = interruptible();
  const { allowOutsideData } = flags;
  const session = { threads: flags.threads, allowOutsideData };
  const bar = steps();
  let left = timeLeftClock();
  const options = {
    ...swapChoices(flags),
    fold,
    int8,
    seed,
    samples,
    rows,
    ridge,
    beta,
    curved: flags.curved,
    signal,
    steps: flags.steps,
    outputs: flags.judgeBy,
    budget: flags.keep && parseBudget(flags.keep),
    layers: matches && (({ node }: { node: Parameters<typeof matches>[0] }) => matches(node)),
    session,
    onNote: (note: string) => {
      bar.end(); // the progress is on the same line
      sayNote(note);
    },
    onProgress: (step: string, done: number, of: number) => {
      if (done === 0) left = timeLeftClock(); // each step has a different speed
      const at = Math.floor(done) + 1;
      bar.update(of > 1 ? `${clean(step)}: ${at} of ${of}${left(done / of)}` : clean(step));
    },
  };
  const work = async (model: LoadedModel) => {
    const data = await readInBatches(model, flags, samples, session);
    return calibrateModel(model, onCpu({ ...options, data }));
  };
  const externalData = int8 === undefined ? 'keep' : 'inline';
  const files = { output, force, signal, allowOutsideData, externalData } as const;
  const { report, ...written } = await (from === undefined
    ? transformFile(input, files, tag, (document) => withScannedModel(input, document, work, session))
    : piped(input, from, files, (document) => withRunnable(document, undefined, session, work))
  ).finally(bar.end);
  if (beta === undefined && flags.curved === undefined && (report.curved?.folded.length ?? 0) > 0)
    sayNote(DEFAULT_CHANGED);
  if (report.sharpness?.kept === false) process.exitCode = EXIT.threshold;
  if (flags.json) sayJson({ input, ...written, ...report });
  else {
    const head = `${clean(input)} → ${clean(written.output)}`;
    const text = renderCalibration(report, { clean, all: flags.all, hint: ALL_HINT });
    say([head, ...describeCopied(written.copied), '', text].join('\n'));
  }
  if (html === undefined) return;
  const { renderHtmlCalibration } = await import('../../render/html/render.js');
  await writeTextTo(html, await renderHtmlCalibration(report satisfies Calibration, basename(input)), {
    force,
  });
}
