// First derivative of an activation over its inputs.
import type { Feeds } from '../data/dataset.js';
import { readTensors } from '../finetune/units.js';
import { histogramMeter } from '../metrics/histogram.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { toNumbers } from '../providers/tensor.js';
import type { Derivative } from './report-schema.js';

/** An activation, and where its inputs come from. */
export interface DerivativeOptions extends OnProvider {
  /** The activation in float64. */
  readonly f: (x: number) => number;
  /** Names of the activation's inputs in the main graph. */
  readonly inputs: readonly string[];
  readonly feeds: Feeds & { readonly samples: number };
  readonly session?: SessionOptions | undefined;
}

/**
 * Counts the inputs of an activation's sites in bins, over all feeds, and calculates the first derivative at the centre of each bin.
 * Returns undefined if no input is finite.
 */
export async function derivativeOverInputs(
  model: EditableModel,
  { f, inputs, feeds, provider, session }: DerivativeOptions,
): Promise<Derivative | undefined> {
  const meter = histogramMeter();
  await readTensors(model, inputs, feeds, { provider, session }, (_, tensor) =>
    meter.add((tensor && toNumbers(tensor)) ?? []),
  );
  const histogram = meter.result();
  if (histogram === null) return undefined;
  const { from, width, counts, below, above } = histogram;
  const n = counts.reduce((sum, count) => sum + count, below + above);
  const x = counts.map((_, bin) => from + (bin + 0.5) * width);
  return {
    samples: feeds.samples,
    x,
    share: counts.map((count) => count / n),
    below: below / n,
    above: above / n,
    derivative: x.map((centre) => slopeAt(f, centre, width)),
  };
}

/** Largest distance of the two points of a difference: a power of two, as half a bin is, so that the points are exact. */
const MAX_STEP = 2 ** -16;

/**
 * Returns the central difference of a function at the centre of a bin. Both points lie in the middle half of the bin, so that no
 * difference is over a kink at 0, where bins end.
 */
function slopeAt(f: (x: number) => number, x: number, width: number): number {
  const half = Math.min(MAX_STEP, width / 2) / 2;
  return (f(x + half) - f(x - half)) / (2 * half);
}
