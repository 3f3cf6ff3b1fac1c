import { stopIfAborted } from '../base/abort.js';
import { createRandom } from '../base/random.js';
import { mean, quantilesOf, type Ratio, ratioOfMedians } from '../metrics/statistics.js';
import type { Pairs, Session, SessionOptions } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';

export interface LatencyOptions {
  /** Minimum number of pairs; default 30. */
  readonly minPairs?: number | undefined;
  /** Minimum time in seconds; default 2. */
  readonly minSeconds?: number | undefined;
  /** Maximum time in seconds; default 60, at least `minSeconds`. Five pairs run in any case, or `minPairs` if fewer. */
  readonly maxSeconds?: number | undefined;
  /** Maximum number of pairs, even before `minSeconds`; default 10,000, at least `minPairs`. */
  readonly maxPairs?: number | undefined;
  /** Number of warm-up pairs, which are not counted; default 3. */
  readonly warmup?: number | undefined;
  /** Milliseconds of each session's first run, if the sessions have run before; default: the first warm-up pair. */
  readonly first?: readonly [original: number, swapped: number] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives the times of each new batch of pairs, in milliseconds. */
  readonly onPairs?: ((times: Pairs['times']) => void) | undefined;
  /** Clock in milliseconds that decides when to stop; default `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** Times of a session, in milliseconds. */
export interface Timing {
  readonly createMs: number;
  readonly firstMs: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly mean: number;
  /** 101 quantiles, from the fastest run to the slowest. */
  readonly quantiles: number[];
}

export interface Latency {
  /** Number of pairs. */
  readonly n: number;
  /** Number of runs that each time is the mean of. */
  readonly repeats: number;
  readonly original: Timing;
  readonly swapped: Timing;
  /** Median time of the swapped model divided by the original's. */
  readonly ratio: Ratio;
}

/** Returns the options of sessions that run in turns: the threads of the one that waits must not spin, which takes time. */
export function takingTurns(session: SessionOptions = {}): SessionOptions {
  return { spinning: false, ...session };
}

const DEFAULT_MAX_SECONDS = 60;
/** Longest time between two checks for an abort. */
const CHUNK_MS = 250;

async function onePair(
  original: Session,
  swapped: Session,
  feeds: readonly [original: Tensors, swapped: Tensors],
  beginsWith: 0 | 1,
): Promise<[original: number, swapped: number]> {
  if (beginsWith === 0) return [await original.time(feeds[0]), await swapped.time(feeds[1])];
  const after = await swapped.time(feeds[1]);
  return [await original.time(feeds[0]), after];
}

function timingOf({ createMs }: Session, firstMs: number, times: readonly number[]): Timing {
  const quantile = quantilesOf(times);
  return {
    createMs,
    firstMs,
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    mean: mean(times),
    quantiles: Array.from({ length: 101 }, (_, step) => quantile(step / 100)),
  };
}

/**
 * Times two sessions in pairs of runs, so that a slow machine slows both. The session that runs first alternates.
 * The measurement ends when both `minPairs` and `minSeconds` are reached, or at `maxPairs` or `maxSeconds`.
 * Throws `aborted`, and `run-failed` as the sessions do.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { measureLatency, seededFeeds } from 'onnx-mish/validate';
 *
 * const cpu = getProvider('cpu');
 * const [original, swapped] = [await cpu.open('model.onnx'), await cpu.open('model.mish.onnx')];
 * const [feeds = {}] = seededFeeds(original.inputs, {}).feeds;
 * const { ratio } = await measureLatency(original, swapped, [feeds, feeds], { minPairs: 50 });
 */
export async function measureLatency(
  original: Session,
  swapped: Session,
  feeds: readonly [original: Tensors, swapped: Tensors],
  options: LatencyOptions = {},
): Promise<Latency> {
  const {
    minPairs = 30,
    minSeconds = 2,
    maxSeconds = Math.max(DEFAULT_MAX_SECONDS, minSeconds),
    maxPairs = 10_000,
    warmup = 3,
    now = () => performance.now(),
    signal,
    onPairs = () => {},
  } = options;
  const least = Math.max(1, minPairs);
  let first = options.first;
  for (let pair = 0; pair < Math.max(1, warmup); pair++) {
    stopIfAborted(signal);
    const times = [await original.time(feeds[0]), await swapped.time(feeds[1])] as const;
    first ??= times;
  }
  const [firstOriginal = Number.NaN, firstSwapped = Number.NaN] = first ?? [];
  const pairs: Pairs['times'][number][] = [];
  let repeats = 1;
  const start = now();
  for (;;) {
    stopIfAborted(signal);
    const seconds = (now() - start) / 1000;
    if (pairs.length >= Math.max(least, maxPairs)) break;
    if (pairs.length >= least && seconds >= minSeconds) break;
    if (pairs.length >= Math.min(5, least) && seconds >= maxSeconds) break;
    const beginsWith = pairs.length % 2 === 0 ? 0 : 1;
    if (original.pairs === undefined) {
      const pair = await onePair(original, swapped, feeds, beginsWith);
      pairs.push(pair);
      onPairs([pair]);
      continue;
    }
    // Many pairs per call, so that no message to the page comes between two runs; few enough to stop in time.
    const perPair = pairs.length === 0 ? Number.POSITIVE_INFINITY : (now() - start) / pairs.length;
    const enough =
      pairs.length < least ? least - pairs.length : Math.ceil(((minSeconds - seconds) * 1000) / perPair);
    const count = Math.max(
      1,
      Math.min(Math.floor(CHUNK_MS / perPair), enough, Math.max(least, maxPairs) - pairs.length),
    );
    const timed = await original.pairs(swapped, feeds, count, beginsWith);
    pairs.push(...timed.times);
    onPairs(timed.times);
    repeats = timed.repeats;
  }
  return {
    n: pairs.length,
    repeats,
    original: timingOf(
      original,
      firstOriginal,
      pairs.map(([time]) => time),
    ),
    swapped: timingOf(
      swapped,
      firstSwapped,
      pairs.map(([, time]) => time),
    ),
    ratio: ratioOfMedians(
      pairs.map(([before, after]) => [after, before]),
      createRandom(1),
    ),
  };
}
