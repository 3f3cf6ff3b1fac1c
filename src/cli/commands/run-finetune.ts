import { basename, dirname, join } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { checkTarget } from '../../files/write-atomically.js';
import { locationOfTrained } from '../../finetune/data-file.js';
import { finetuneModel } from '../../finetune/finetune.js';
import { activationTag, type FormOptions, type SwapOptions } from '../../mish/swap.js';
import { swapChoices } from '../../mish/swap-choices.js';
import { onCpu } from '../../node/calibrate-files.js';
import { type CheckpointFile, openCheckpoint } from '../../node/checkpoint-file.js';
import { host } from '../../node/host.js';
import { withScannedModel } from '../../node/load-model.js';
import { outputName, transformFile } from '../../node/transform-file.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import { renderFinetune } from '../../render/finetune.js';
import { durationText } from '../../render/finetune-figures.js';
import { interruptible } from '../io/exit.js';
import { isPiped } from '../io/files.js';
import { checkLabelledFlags, type LabelledFlags, readLabelled } from '../io/read-labelled.js';
import { sayDoubt } from '../io/say-doubts.js';
import { checkViews, writeTextTo } from '../io/views.js';
import { type TrainingFlags, trainingSettings } from '../options/training-options.js';
import { ALL_HINT } from '../text/flags.js';
import { steps } from '../text/progress.js';
import { say, sayJson, sayNote } from '../text/say.js';
import { clean, describeCopied } from '../text/text.js';

/** Options of the command, as parsed by commander. */
export interface Flags extends FormOptions, LabelledFlags, TrainingFlags, Pick<SwapOptions, 'to' | 'alpha'> {
  output?: string;
  force?: boolean;
  only?: string[];
  include?: string[];
  exclude?: string[];
  leaky?: 'mish' | 'mixture';
  beta?: number;
  validation: number;
  samples?: number;
  freeze?: string[];
  bn: 'auto' | 'frozen' | 'train' | 'insert';
  teacher?: number | true;
  patience?: number;
  calibrate: boolean;
  control: boolean;
  seeds: number;
  seed: number;
  resume?: string | true;
  threads?: number;
  report?: string;
  all?: boolean;
  json?: boolean;
  allowOutsideData?: boolean;
}

/** Swaps and trains a model, writes the result, and prints the report. */
export async function run(input: string, flags: Flags): Promise<void> {
  const { force = false, report: html, allowOutsideData } = flags;
  const tag = activationTag(flags);
  const output = flags.output ?? outputName(input, tag);
  if ((await isPiped(input)) || (await isPiped(output))) {
    throw new OnnxMishError('bad-usage', 'finetune reads and writes files', {
      fix: 'Name files for input and output',
    });
  }
  checkLabelledFlags(flags, 'finetune');
  await checkViews({ html, force }, [input, flags.data, flags.test], output); // fail before the long run, not after
  const checkpoint = await openCheckpoint(output, flags);
  const signal = interruptible();
  const session = { threads: flags.threads, allowOutsideData };
  const bar = steps();
  const options = {
    ...optionsOf(flags, checkpoint),
    ...readLabelled(flags, signal, sayNote),
    onDoubt: sayDoubt,
    signal,
    session,
  };
  const work = async (model: LoadedModel) => {
    const fileName = basename(output);
    if (model.document.external.length > 0)
      await checkTarget(join(dirname(output), locationOfTrained(model.document, fileName)), force);
    return finetuneModel(
      { ...model, name: basename(input) },
      onCpu({
        ...options,
        fileName,
        host: host(),
        onProgress: showProgress(bar.update),
        onEstimate: sayEstimate,
      }),
    );
  };
  const files = { output, force, signal, allowOutsideData };
  const { report, ...written } = await checkpoint
    .during(() =>
      transformFile(input, files, tag, (document) => withScannedModel(input, document, work, session)),
    )
    .finally(bar.end);
  if (flags.json) sayJson({ input, ...written, ...report });
  else {
    const head = `${clean(input)} → ${clean(written.output)}`;
    const text = renderFinetune(report, { clean, all: flags.all, hint: ALL_HINT });
    const data = written.data === undefined ? [] : [`  weights in ${clean(written.data)}`];
    say([head, ...data, ...describeCopied(written.copied), '', text].join('\n'));
  }
  if (html === undefined) return;
  const { renderHtmlFinetune } = await import('../../render/html/render.js');
  await writeTextTo(html, await renderHtmlFinetune(report), { force });
}

/** Share of the original’s outputs in the targets, with --teacher alone. */
const DEFAULT_TEACHER_SHARE = 0.5;

function optionsOf(flags: Flags, checkpoint: CheckpointFile) {
  const { calibrate, control, seeds, seed, validation, freeze, bn, teacher, patience } = flags;
  return {
    ...swapChoices(flags),
    ...trainingSettings(flags),
    calibrate,
    control,
    seeds,
    seed,
    validation,
    freeze,
    batchNorm: bn,
    checkpoint,
    patience: validation === 0 ? undefined : patience, // that of a configuration is for other runs
    teacher: teacher === true ? DEFAULT_TEACHER_SHARE : teacher,
  };
}

function showProgress(update: (step: string) => void) {
  return (work: string, share: number, secondsLeft: number | undefined) => {
    const left = secondsLeft === undefined ? '' : `, about ${durationText(Math.ceil(secondsLeft))} left`;
    update(`${clean(work)}: ${Math.floor(100 * share)} %${left}`);
  };
}

function sayEstimate(seconds: number): void {
  sayNote(`all trainings take about ${durationText(seconds)}`);
}
