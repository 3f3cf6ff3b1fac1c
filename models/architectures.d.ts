/** Options of the nets: widths of the stages, and the seed of the weights. */
interface NetOptions {
  readonly widths?: readonly number[];
  readonly seed?: number;
}

export function resnet20(options?: NetOptions): Uint8Array;
export function cnn6(options?: NetOptions & { readonly hidden?: number }): Uint8Array;
export function cnn4(options?: NetOptions): Uint8Array;
export function squeezenet(options?: Pick<NetOptions, 'seed'>): Uint8Array;
export function plainNet(options: {
  readonly layers: number;
  readonly width?: number;
  readonly norm?: boolean;
  readonly seed?: number;
}): Uint8Array;
export const UNTRAINED: Readonly<Record<'resnet20' | 'cnn6' | 'cnn4' | 'squeezenet', () => Uint8Array>>;
