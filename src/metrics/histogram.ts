/**
 * Counts in bins of equal width. A bin includes its edge nearer to 0, and excludes the other; 0 belongs to the bin
 * above it.
 */
export interface Histogram {
  /** Lower edge of the first bin, a multiple of `width`. */
  readonly from: number;
  /** Width of every bin, a power of two. */
  readonly width: number;
  readonly counts: readonly number[];
  /** Number of elements below the first bin and above the last. */
  readonly below: number;
  readonly above: number;
}

/** Counts the finite elements of tensors; `result` is null if there were none. */
export interface HistogramMeter {
  add(values: ArrayLike<number>): void;
  result(): Histogram | null;
}

/** Number of low bits of a float32 that counting ignores: sign, exponent and five bits of the mantissa remain. */
const DROPPED_BITS = 18;
const MANTISSA_BITS = 5;
/** First code of negative numbers. */
const NEGATIVE = 2 ** 13;
/** Lowest code whose exponent means infinite or NaN. */
const NOT_FINITE = 255 << MANTISSA_BITS;
/** Maximum number of bins in a result; for few elements, twice their cube root (Rice’s rule), but at least 8. */
const MAX_BINS = 64;
const maxBinsFor = (n: number) => Math.min(MAX_BINS, Math.max(8, Math.ceil(2 * Math.cbrt(n))));
/** Maximum share of elements to leave outside the bins on each side, where that makes the bins finer. */
const MAX_TAIL_SHARE = 0.0005;
/** Largest finite float32. */
const LARGEST = 2 ** 128 - 2 ** 104;

/**
 * Returns a meter that counts by the leading bits of float32. This scale needs no range in advance, so that one pass
 * is enough. Each of its bins is 2^-5 of a power of two wide. They add up exactly to bins of equal width, if at most
 * 64 of these lie on either side of 0.
 */
export function histogramMeter(): HistogramMeter {
  const bins = new Float64Array(2 * NEGATIVE);
  return {
    add(values) {
      const bits = bitsOf(values);
      for (let index = 0; index < bits.length; index++) {
        const bin = (bits[index] ?? 0) >>> DROPPED_BITS;
        bins[bin] = (bins[bin] ?? 0) + 1;
      }
    },
    result() {
      const occupied = [...bins.keys()]
        .filter((bin) => bins[bin] !== 0 && bin % NEGATIVE < NOT_FINITE)
        .map((bin) => {
          // Negative numbers nearer to 0 than 2^-131 share a bin with -0.
          return { negative: bin > NEGATIVE, size: sizeOf(bin % NEGATIVE), count: bins[bin] ?? 0 };
        })
        .toSorted((a, b) => signed(a) - signed(b));
      return occupied.length === 0 ? null : evenBins(occupied);
    },
  };
}

function bitsOf(values: ArrayLike<number>): Uint32Array {
  const clamp = (value: number) => {
    return Number.isFinite(value) ? Math.max(-LARGEST, Math.min(LARGEST, value)) : value;
  };
  const floats = values instanceof Float32Array ? values : Float32Array.from(values, clamp);
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

/** A bin of the count; `size` is its edge nearer to 0, as an absolute value. */
interface Bin {
  readonly negative: boolean;
  readonly size: number;
  readonly count: number;
}

const signed = ({ negative, size }: Bin) => (negative ? -size : size);

function sizeOf(bin: number): number {
  return new Float32Array(Uint32Array.of(bin << DROPPED_BITS).buffer)[0] ?? 0;
}

function evenBins(bins: readonly Bin[]): Histogram {
  const n = bins.reduce((sum, { count }) => sum + count, 0);
  const inner = trimmed(bins, MAX_TAIL_SHARE * n);
  const width = widthFor(inner, maxBinsFor(n));
  const chosen = width < widthFor(bins, maxBinsFor(n)) ? inner : bins;
  const [first, last] = ends(chosen, width);
  const counts = Array.from({ length: last - first + 1 }, () => 0);
  let [below, above] = [0, 0];
  for (const bin of bins) {
    const at = place(bin, width);
    if (at < first) below += bin.count;
    else if (at > last) above += bin.count;
    else counts[at - first] = (counts[at - first] ?? 0) + bin.count;
  }
  return { from: first * width, width, counts, below, above };
}

/** Returns the index of the bin of this width that contains a bin of the count. */
function place({ negative, size }: Bin, width: number): number {
  const steps = Math.floor(size / width);
  return negative ? -1 - steps : steps;
}

function ends(bins: readonly Bin[], width: number): [first: number, last: number] {
  const places = [bins[0], bins.at(-1)].map((bin) => (bin === undefined ? 0 : place(bin, width)));
  return [places[0] ?? 0, places[1] ?? 0];
}

/** Returns the smallest width with at most `most` bins, and at most 64 on either side of 0. */
function widthFor(bins: readonly Bin[], most: number): number {
  const largest = Math.max(...bins.map(({ size }) => size));
  if (largest === 0) return 1;
  let width = Math.max(2 ** (Math.floor(Math.log2(largest)) - MANTISSA_BITS), 2 ** -126);
  for (; ; width *= 2) {
    const [first, last] = ends(bins, width);
    if (last - first < most) return width;
  }
}

/** Removes the outermost bins, with at most `allowed` elements on each side. */
function trimmed(bins: readonly Bin[], allowed: number): Bin[] {
  const cut = (from: readonly Bin[]) => {
    let passed = 0;
    const start = from.findIndex(({ count }) => {
      passed += count;
      return passed > allowed;
    });
    return from.slice(start);
  };
  return cut(cut(bins).toReversed()).toReversed();
}
