import { attribute, type Node } from './document.js';

/** A window over the spatial axes, with explicit padding. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding at the beginning of each axis, then at the end of each. End padding that no window reaches is omitted. */
  readonly pads: readonly number[];
}

type Kind = 'Conv' | 'ConvTranspose';

/**
 * Computes the window of a convolution, transposed convolution or pooling (`kind` Conv) from the spatial dims `inside` (input)
 * and `outside` (output). For ConvTranspose, returns the window of the adjoint convolution, from `outside` to `inside`.
 */
export function windowOf(
  kind: Kind,
  node: Node,
  kernel: readonly number[],
  inside: readonly number[],
  outside: readonly number[],
): Window {
  const ones = kernel.map(() => 1);
  const strides = attribute(node, 'strides')?.ints ?? ones;
  const dilations = attribute(node, 'dilations')?.ints ?? ones;
  const [wide, narrow] = kind === 'Conv' ? [inside, outside] : [outside, inside];
  const begins = kernel.map((size, axis) => {
    const reach = (size - 1) * (dilations[axis] ?? 1) + 1;
    return beginOf(kind, node, axis, reach, strides[axis] ?? 1, inside[axis] ?? 1, outside[axis] ?? 1);
  });
  return withEnds({ kernel, strides, dilations, begins }, wide, narrow);
}

/** A window with the padding at the beginning of each axis only. */
type BegunWindow = Omit<Window, 'pads'> & { readonly begins: readonly number[] };

/** Adds the padding at the end that windows reach, from `wide` (the spatial dims that they read) and `narrow` (their numbers). */
function withEnds(
  { begins, ...window }: BegunWindow,
  wide: readonly number[],
  narrow: readonly number[],
): Window {
  const { kernel, strides, dilations } = window;
  const ends = kernel.map((size, axis) => {
    const reach = (size - 1) * (dilations[axis] ?? 1) + 1;
    const covered = ((narrow[axis] ?? 1) - 1) * (strides[axis] ?? 1) + reach;
    return Math.max(0, covered - (wide[axis] ?? 1) - (begins[axis] ?? 0));
  });
  return { ...window, pads: [...begins, ...ends] };
}

/** Returns the window of a pooling without the taps that always lie beyond the end of the input: kernels may be far larger than it. */
export function withoutUnreadTaps(
  { kernel, pads, ...window }: Window,
  inside: readonly number[],
  outside: readonly number[],
): Window {
  const begins = pads.slice(0, kernel.length);
  const cut = kernel.map((size, axis) => {
    const reached = (inside[axis] ?? 1) + (begins[axis] ?? 0);
    return Math.max(1, Math.min(size, Math.ceil(reached / (window.dilations[axis] ?? 1))));
  });
  return withEnds({ ...window, kernel: cut, begins }, inside, outside);
}

/** Computes the padding at the beginning of an axis, as ONNX's Conv and ConvTranspose define it. */
function beginOf(
  kind: Kind,
  node: Node,
  axis: number,
  reach: number,
  stride: number,
  into: number,
  out: number,
): number {
  const automatic = attribute(node, 'auto_pad')?.s ?? 'NOTSET';
  const shaped = kind === 'ConvTranspose' && attribute(node, 'output_shape')?.ints !== undefined;
  if (automatic === 'VALID' && !shaped) return 0;
  if (automatic === 'NOTSET' && !shaped) return attribute(node, 'pads')?.ints?.[axis] ?? 0;
  // The odd element of padding goes to the end with SAME_UPPER, else to the beginning.
  if (kind === 'Conv') {
    const total = Math.max(0, (out - 1) * stride + reach - into);
    return automatic === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
  }
  const extra = attribute(node, 'output_padding')?.ints?.[axis] ?? 0;
  const total = Math.max(0, stride * (into - 1) + extra + reach - out);
  return automatic === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
}

/** Returns a function that fills `taps`, for an output position, with the input offset of each kernel tap; -1 for padding. */
export function readsOf(
  kind: Kind,
  { kernel, strides, dilations, pads }: Window,
  inside: readonly number[],
  outside: readonly number[],
): (place: number, taps: Int32Array) => void {
  const axes = kernel.length;
  const at = new Array<number>(axes).fill(0);
  return (place, taps) => {
    let rest = place;
    for (let axis = axes - 1; axis >= 0; axis--) {
      const size = outside[axis] ?? 1;
      at[axis] = rest % size;
      rest = Math.floor(rest / size);
    }
    for (let tap = 0; tap < taps.length; tap++) {
      let offset = 0;
      let scale = 1;
      let remaining = tap;
      for (let axis = axes - 1; axis >= 0; axis--) {
        const width = kernel[axis] ?? 1;
        const step = (remaining % width) * (dilations[axis] ?? 1);
        remaining = Math.floor(remaining / width);
        const [stride, begin, size] = [strides[axis] ?? 1, pads[axis] ?? 0, inside[axis] ?? 1];
        const there = at[axis] ?? 0;
        const read = kind === 'Conv' ? there * stride - begin + step : (there + begin - step) / stride;
        if (read < 0 || read >= size || !Number.isInteger(read)) {
          offset = -1;
          break;
        }
        offset += read * scale;
        scale *= size;
      }
      taps[tap] = offset;
    }
  };
}
