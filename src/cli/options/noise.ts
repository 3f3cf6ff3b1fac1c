/** Value of `--data` for noise. */
export const NOISE = 'random';

/** Returns whether the options name no samples, but noise. */
export const isNoise = ({ data = NOISE, images }: { readonly data?: unknown; readonly images?: unknown }) =>
  data === NOISE && images === undefined;
