/**
 * Counts in bins of one width. A bin holds the edge that is nearer to 0 and not the other; 0 itself is in the bin
 * above it.
 */
export interface Histogram {
  /** The lower edge of the first bin, a multiple of `width`. */
  readonly from: number;
  /** A power of two. */
  readonly width: number;
  readonly counts: readonly number[];
  /** Elements below the first bin and above the last. */
  readonly below: number;
  readonly above: number;
}

/** Counts the finite elements of tensors; `result` is null where there were none. */
export interface HistogramMeter {
  add(values: ArrayLike<number>): void;
  result(): Histogram | null;
}

/** Bits of a float32 that are left out of the count: sign, exponent and five digits of the mantissa stay. */
const DROPPED = 18;
const DIGITS = 5;
const NEGATIVE = 2 ** 13;
/** From here on the exponent says infinite or NaN. */
const NOT_FINITE = 255 << DIGITS;
/** Bins of a result at the most; of few elements no more than twice their cube root (Rice’s rule), or 8. */
const MOST = 64;
const mostOf = (n: number) => Math.min(MOST, Math.max(8, Math.ceil(2 * Math.cbrt(n))));
/** The share of elements that may lie outside on each side, where that makes the bins finer. */
const TAIL = 0.0005;
const LARGEST = 2 ** 128 - 2 ** 104;

/**
 * Counts by the leading bits of float32, a scale that needs no range beforehand, so that one pass is enough, in any
 * order. Its bins have the width 2^-5 of the power of two that they start from, so that they add up, exactly, to bins
 * of one width as long as there are no more than 64 of those on either side of 0.
 */
export function histogramMeter(): HistogramMeter {
  const bins = new Float64Array(2 * NEGATIVE);
  return {
    add(values) {
      const bits = bitsOf(values);
      for (let index = 0; index < bits.length; index++) {
        const bin = (bits[index] ?? 0) >>> DROPPED;
        bins[bin] = (bins[bin] ?? 0) + 1;
      }
    },
    result() {
      const occupied = [...bins.keys()]
        .filter((bin) => bins[bin] !== 0 && bin % NEGATIVE < NOT_FINITE)
        .map((bin) => {
          // Negatives nearer to 0 than 2^-131 are in one bin with -0.
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

/** A bin of the count: from `size` on away from 0. */
interface Bin {
  readonly negative: boolean;
  readonly size: number;
  readonly count: number;
}

const signed = ({ negative, size }: Bin) => (negative ? -size : size);

function sizeOf(bin: number): number {
  return new Float32Array(Uint32Array.of(bin << DROPPED).buffer)[0] ?? 0;
}

function evenBins(bins: readonly Bin[]): Histogram {
  const n = bins.reduce((sum, { count }) => sum + count, 0);
  const inner = trimmed(bins, TAIL * n);
  const width = widthFor(inner, mostOf(n));
  const chosen = width < widthFor(bins, mostOf(n)) ? inner : bins;
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

/** Which bin of this width one of the count falls into. */
function place({ negative, size }: Bin, width: number): number {
  const steps = Math.floor(size / width);
  return negative ? -1 - steps : steps;
}

function ends(bins: readonly Bin[], width: number): [first: number, last: number] {
  const places = [bins[0], bins.at(-1)].map((bin) => (bin === undefined ? 0 : place(bin, width)));
  return [places[0] ?? 0, places[1] ?? 0];
}

/** The finest width with which there are so many bins at the most, and at most 64 from 0. */
function widthFor(bins: readonly Bin[], most: number): number {
  const largest = Math.max(...bins.map(({ size }) => size));
  if (largest === 0) return 1;
  let width = Math.max(2 ** (Math.floor(Math.log2(largest)) - DIGITS), 2 ** -126);
  for (; ; width *= 2) {
    const [first, last] = ends(bins, width);
    if (last - first < most) return width;
  }
}

/** Without what lies furthest out, so many elements at the most on each side. */
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
