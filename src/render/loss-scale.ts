// Levels and colours of losses, the same for all landscapes that are compared.

/** A grid of losses, row by row; null where a loss is not finite. */
export interface LossGrid {
  /** Number of points along an axis. */
  readonly points: number;
  readonly losses: readonly (number | null)[];
}

/** Scale of losses. Bands are numbered from 0, the lowest losses. */
export interface LossScale {
  /** Bounds between the bands, ascending. */
  readonly levels: readonly number[];
  /** Returns the place of a loss: 0 for the lowest, 1 for the top of the scale and for losses above it. */
  place(loss: number | null): number;
  /** Returns the band of a loss. A loss that is not finite is in the highest. */
  band(loss: number | null): number;
}

/** Colours from low to high losses (viridis by S. van der Walt and N. Smith, CC0), readable on light and dark. */
export const LOSS_COLOURS = [
  ...['#440154', '#482878', '#3e4989', '#31688e', '#26828e'],
  ...['#1f9e89', '#35b779', '#6ece58', '#b5de2b', '#fde725'],
] as const;

/** Ratio of the highest to the lowest loss from which the scale is logarithmic. */
const MIN_LOG_RATIO = 4;
/** Share of the losses above the top of the scale, so that a single peak does not take all colours. */
const TOP_SHARE = 0.02;

/** Returns the scale of all losses of several landscapes together. */
export function lossScale(grids: readonly LossGrid[]): LossScale {
  const all = grids.flatMap(({ losses }) => losses.filter((loss) => loss !== null)).toSorted((a, b) => a - b);
  const low = all[0] ?? 0;
  const high = all[Math.max(0, Math.ceil((1 - TOP_SHARE) * all.length) - 1)] ?? 1;
  const isLog = low > 0 && high / low >= MIN_LOG_RATIO;
  const [to, from] = isLog ? [Math.log, Math.exp] : [identity, identity];
  const [bottom, top] = [to(low), to(high) > to(low) ? to(high) : to(low) + 1];
  const count = LOSS_COLOURS.length;
  const levels = Array.from({ length: count - 1 }, (_, at) =>
    from(bottom + ((top - bottom) * (at + 1)) / count),
  );
  return {
    levels,
    place: (loss) =>
      loss === null ? 1 : Math.max(0, Math.min(1, (to(Math.max(loss, low)) - bottom) / (top - bottom))),
    band: (loss) => (loss === null ? count - 1 : levels.filter((level) => loss >= level).length),
  };
}

const identity = (value: number) => value;
