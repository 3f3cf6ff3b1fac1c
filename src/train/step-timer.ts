import { medianGap } from '../metrics/statistics.js';
import { isDivergence } from './divergence.js';

/** Estimates how long an epoch takes from the steps on few samples. The trainer's `onProgress` calls `onStep`. */
export function stepTimer() {
  const times: number[] = [];
  let stepsOfFew = 1;
  return {
    onStep(_: number, of: number): void {
      times.push(performance.now());
      stepsOfFew = of;
    },
    /** Trains an epoch of `few` samples, or as much of it as does not diverge. Returns the seconds of an epoch of `all` samples. */
    async epochSeconds(trainer: AsyncIterable<unknown>, few: number, all: number): Promise<number> {
      const start = performance.now();
      try {
        for await (const _ of trainer);
      } catch (error) {
        if (!isDivergence(error)) throw error;
      }
      const step = medianGap(times) ?? (performance.now() - start) / Math.max(1, times.length);
      const stepsOfAll = Math.max(1, Math.floor(all / Math.floor(few / stepsOfFew)));
      return (stepsOfAll * step) / 1000;
    },
  };
}
