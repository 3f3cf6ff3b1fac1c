import { withExposed } from '../providers/exposed-model.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { elementCount, type Tensors, toNumbers } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import type { RunOptions } from './batch-of-copy.js';

/** Mean and variance of each channel. */
export interface ChannelMoments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Running count, means and sums of squared differences of each channel. */
interface Meter {
  count: number;
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

/** Measures the moments of tensors [N, C, …] over batches. Tensors with a single place per channel have none. */
export async function channelMoments(
  model: EditableModel,
  names: readonly string[],
  batches: () => AsyncIterable<Tensors>,
  options: RunOptions,
): Promise<ReadonlyMap<string, ChannelMoments>> {
  const meters = new Map<string, Meter>();
  await withExposed(model, names, false, ({ file, get }) =>
    withSession(file, options, async (session) => {
      for await (const feeds of batches()) {
        const tensors = await session.run(feeds);
        for (const name of names) {
          const tensor = get(tensors, name);
          const values = tensor && toNumbers(tensor);
          const [samples = 1, channels = 1, ...inside] = tensor?.dims ?? [];
          const places = elementCount(inside);
          if (values === undefined || places < 2) continue;
          const meter = meters.get(name) ?? {
            count: 0,
            mean: new Float64Array(channels),
            squares: new Float64Array(channels),
          };
          meters.set(name, meter);
          addMoments(meter, values, samples, channels, places);
        }
      }
    }),
  );
  return new Map(
    [...meters].map(([name, { count, mean, squares }]) => [
      name,
      { mean, variance: squares.map((sum) => sum / count) },
    ]),
  );
}

/** Adds a batch to the means and sums of squared differences (Chan, Golub and LeVeque). */
function addMoments(
  meter: Meter,
  values: ArrayLike<number>,
  samples: number,
  channels: number,
  places: number,
): void {
  const added = samples * places;
  const total = meter.count + added;
  for (let channel = 0; channel < channels; channel++) {
    const each = (use: (value: number) => void) => {
      for (let sample = 0; sample < samples; sample++) {
        const from = (sample * channels + channel) * places;
        for (let at = from; at < from + places; at++) use(values[at] ?? 0);
      }
    };
    let sum = 0;
    each((value) => {
      sum += value;
    });
    const mean = sum / added;
    let squares = 0;
    each((value) => {
      squares += (value - mean) ** 2;
    });
    const apart = mean - (meter.mean[channel] ?? 0);
    meter.mean[channel] = (meter.mean[channel] ?? 0) + (apart * added) / total;
    meter.squares[channel] =
      (meter.squares[channel] ?? 0) + squares + (apart ** 2 * meter.count * added) / total;
  }
  meter.count = total;
}
