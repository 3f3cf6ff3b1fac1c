// Scales of single channels. A site's share of inputs on the bend, where the new activation is curved, stays as it is; channels that cost
// the next layers much get more of the sharpness, and the others less.
import type { ChannelSamples } from './channel-samples.js';

/** A site whose channels may get scales of their own. */
export interface ChannelSite {
  /** Samples of the site's input. */
  readonly samples: ChannelSamples;
  /** The old activation. */
  readonly from: (x: number) => number;
  /** The new activation. */
  readonly to: (x: number) => number;
  /** Largest input at which the new activation is curved. */
  readonly maxCurved: number;
}

export interface ChooseChannelsOptions {
  readonly sites: readonly ChannelSite[];
  /** Sum of the squared weights that read each channel, of layers that can undo what is affine. */
  readonly gains: Float64Array;
  /** The same of layers that can only undo a mean error, since they have too few rows for their inputs. */
  readonly fixedGains: Float64Array;
  /** Minimum scale of a channel. */
  readonly least: number;
}

/** Scales to try, as factors. */
const FACTORS = Array.from({ length: 21 }, (_, at) => 8 ** (at / 10 - 1));
/** Share of its inputs that a channel keeps on the bend, so that none becomes a ReLU. */
const MIN_CHANNEL_SHARE = 0.5;
/** Maximum share of the error that is left where scales of channels are worth it. */
const MAX_ERROR_SHARE = 0.95;
/** Maximum of the factor that all scales get in the end, since `FACTORS` has only steps; its reciprocal is the minimum. */
const MAX_COMMON_FACTOR = 2;
const HALVINGS = 40;

/**
 * Chooses a scale for each channel. They minimise the squared error that linear layers after the sites leave, summed over the
 * channels by their gains, for the same share of all inputs on the bend. Returns undefined if that helps little.
 */
export function chooseChannels({
  gains,
  fixedGains,
  least,
  ...all
}: ChooseChannelsOptions): Float64Array | undefined {
  const channels = gains.length;
  const gainsOf = (channel: number) => [gains[channel] ?? 0, fixedGains[channel] ?? 0] as const;
  // Half of the samples choose. The others say which share is kept: of those that choose, it would look larger than it is.
  const [sites, held] = [0, 1].map((odd) =>
    all.sites.map((site) => ({ ...site, samples: half(site.samples, odd) })),
  ) as [ChannelSite[], ChannelSite[]];
  const scales = FACTORS.map((factor) => Math.max(factor, least));
  const errors = new Float64Array(channels * scales.length);
  const shares = new Float64Array(channels * scales.length);
  const plainErrors = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    for (const site of sites) {
      const rest = restOf(site, channel, gainsOf(channel));
      plainErrors[channel] = (plainErrors[channel] as number) + rest(1).error;
      for (const [at, scale] of scales.entries()) {
        const { error, curved } = rest(scale);
        const place = channel * scales.length + at;
        errors[place] = (errors[place] as number) + error;
        shares[place] = (shares[place] as number) + curved / sites.length;
      }
    }
  }
  const wanted = sites.reduce((sum, site) => sum + shareAt(site, () => 1), 0) / sites.length;
  const floor = Math.min(MIN_CHANNEL_SHARE, wanted);
  const pick = (price: number) => {
    const chosen = new Int32Array(channels);
    let total = 0;
    for (let channel = 0; channel < channels; channel++) {
      let cost = Number.POSITIVE_INFINITY;
      for (let at = 0; at < scales.length; at++) {
        const curved = shares[channel * scales.length + at] as number;
        const value = (errors[channel * scales.length + at] as number) - price * curved;
        if ((at === 0 || curved >= floor) && value < cost) [chosen[channel], cost] = [at, value];
      }
      total += (shares[channel * scales.length + (chosen[channel] ?? 0)] as number) / channels;
    }
    return { chosen, total };
  };
  const sum = plainErrors.reduce((total, error) => total + error, 0);
  if (!(sum > 0)) return undefined;
  // The price of a share on the bend, in units of the mean error of a channel.
  let [low, high] = [1e-9, 1e6].map((price) => Math.log((price * sum) / channels)) as [number, number];
  if (pick(Math.exp(high)).total < wanted) return undefined;
  for (let count = 0; count < HALVINGS; count++) {
    const middle = (low + high) / 2;
    if (pick(Math.exp(middle)).total >= wanted) high = middle;
    else low = middle;
  }
  const { chosen, total } = pick(Math.exp(high));
  const sharper = pick(Math.exp(low)).chosen;
  // Between these two prices several channels may change at once: some of them use up the share that is left.
  let spare = (total - wanted) * channels;
  for (const [channel, at] of sharper.entries()) {
    const from = channel * scales.length;
    const used = (shares[from + (chosen[channel] ?? 0)] as number) - (shares[from + at] as number);
    if (at === chosen[channel] || used > spare) continue;
    spare -= used;
    chosen[channel] = at;
  }
  const kept = withShares(
    Float64Array.from(chosen, (at) => scales[at] ?? 1),
    held,
    held.map((site) => shareAt(site, () => 1)),
    least,
  );
  let left = 0;
  for (let channel = 0; channel < channels; channel++)
    for (const site of sites) left += restOf(site, channel, gainsOf(channel))(kept[channel] ?? 1).error;
  return left < MAX_ERROR_SHARE * sum ? kept : undefined;
}

/** Returns every second value of each channel. */
function half({ values, count }: ChannelSamples, odd: number): ChannelSamples {
  const kept = Math.max(1, Math.floor(count / 2));
  const step = count > 1 ? 2 : 0;
  const channels = values.length / count;
  const some = Float32Array.from({ length: channels * kept }, (_, at) => {
    const channel = Math.floor(at / kept);
    return values[channel * count + step * (at % kept) + (step > 0 ? odd : 0)] ?? 0;
  });
  return { values: some, count: kept };
}

/** Multiplies all scales by the largest factor with which each site keeps its share on the bend. All are 1 if no factor does. */
function withShares(
  scales: Float64Array,
  sites: readonly ChannelSite[],
  shares: readonly number[],
  least: number,
): Float64Array {
  const at = (factor: number) => scales.map((scale) => Math.max(least, factor * scale));
  const holds = (lowered: Float64Array) =>
    sites.every((site, place) => shareAt(site, (channel) => lowered[channel] ?? 1) >= (shares[place] ?? 0));
  let [low, high] = [1 / MAX_COMMON_FACTOR, MAX_COMMON_FACTOR];
  if (!holds(at(low))) return scales.fill(1);
  for (let count = 0; count < HALVINGS / 2; count++) {
    const middle = Math.sqrt(low * high);
    if (holds(at(middle))) low = middle;
    else high = middle;
  }
  return at(low);
}

/** Returns the share of a site's inputs on the bend; inputs that are exactly 0 do not count. */
function shareAt(
  { samples: { values, count }, maxCurved }: ChannelSite,
  scaleOf: (channel: number) => number,
): number {
  let [curved, n] = [0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = Math.abs(values[at] as number);
    if (value === 0) continue;
    n++;
    if (value * scaleOf(Math.floor(at / count)) < maxCurved) curved++;
  }
  return n === 0 ? 1 : curved / n;
}

/**
 * Returns a function that computes, for a scale of a channel, the squared error that layers leave of the old activation, by
 * their gains, and the share of inputs on the bend.
 */
function restOf(
  { samples: { values, count }, from, to, maxCurved }: ChannelSite,
  channel: number,
  [gain, fixedGain]: readonly [gain: number, fixedGain: number],
) {
  const inputs = values.subarray(channel * count, (channel + 1) * count);
  const wanted = Float64Array.from(inputs, from);
  return (scale: number): { readonly error: number; readonly curved: number } => {
    let [curved, n] = [0, 0];
    let [sumX, sumY, xx, xy, yy] = [0, 0, 0, 0, 0];
    for (let at = 0; at < count; at++) {
      const input = scale * (inputs[at] as number);
      if (input !== 0) n++;
      if (input !== 0 && Math.abs(input) < maxCurved) curved++;
      const x = to(input) / scale;
      const y = wanted[at] as number;
      sumX += x;
      sumY += y;
      xx += x * x;
      xy += x * y;
      yy += y * y;
    }
    const [varianceX, covariance] = [xx - sumX ** 2 / count, xy - (sumX * sumY) / count];
    const varianceY = yy - sumY ** 2 / count;
    const left = varianceX > 0 ? varianceY - covariance ** 2 / varianceX : varianceY;
    const difference = varianceX + varianceY - 2 * covariance;
    const error = gain * Math.max(0, left) + fixedGain * Math.max(0, difference);
    return { error: error / count, curved: n === 0 ? 1 : curved / n };
  };
}
