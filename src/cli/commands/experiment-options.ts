import type { Advice } from '../../base/option-hint.js';
import type { LandscapeSettings } from '../../experiment/options.js';
import { onCpu } from '../../node/calibrate-files.js';
import type { LabelledFlags } from '../io/read-labelled.js';
import { readLabelled } from '../io/read-labelled.js';
import { type TrainingFlags, trainingSettings } from '../options/training-options.js';

/** Options that decide the runs of an experiment, as parsed by commander. */
export interface RunFlags extends LabelledFlags, TrainingFlags {
  activations?: string[];
  only?: string[];
  include?: string[];
  exclude?: string[];
  seeds: number;
  seed: number;
  bn?: boolean;
  landscape?: number | boolean;
  span: number;
  threads: number;
  allowOutsideData?: boolean;
}

/** Functions that print notes and advice about the samples; a worker process has none. */
interface Talk {
  readonly note?: (text: string) => void;
  readonly doubt?: (advice: Advice) => void;
}

/** Returns the options of an experiment on the CPU. */
export function experimentOptions(flags: RunFlags, signal: AbortSignal, talk: Talk = {}) {
  const { activations, only, include, exclude, seeds, seed, bn, threads, allowOutsideData } = flags;
  const landscape: LandscapeSettings | false =
    flags.landscape === false
      ? false
      : { points: typeof flags.landscape === 'number' ? flags.landscape : undefined, span: flags.span };
  return onCpu({
    ...trainingSettings(flags),
    ...readLabelled(flags, signal, talk.note),
    activations,
    only,
    include,
    exclude,
    seeds,
    seed,
    batchNorm: bn,
    landscape,
    signal,
    onDoubt: talk.doubt,
    session: { threads, allowOutsideData },
  });
}
