import type { Box, Feeds } from './pictures.js';

export { fontsMissing, textLines, textPictures } from './pictures.js';

export interface Found extends Box {
  score: number;
}
export interface Direction {
  turned: boolean;
  score: number;
}
export interface BoxOptions {
  threshold?: number;
  score?: number;
  smallest?: number;
  grow?: number;
}

export declare const DETECTOR: string;
export declare const DIRECTION: string;
export declare function boxes(map: Float32Array, width: number, options?: BoxOptions): Found[];
export declare function overlap(a: Box, b: Box): number;
export declare function matches(a: readonly Box[], b: readonly Box[], least?: number): number;
export declare function sameBoxes(
  a: readonly (readonly Box[])[],
  b: readonly (readonly Box[])[],
  least?: number,
): number;
export declare function findText(
  model: Uint8Array | string,
  pictures: Feeds,
  options?: BoxOptions,
): Promise<Found[][]>;
export declare function directions(model: Uint8Array | string, lines: Feeds): Promise<Direction[]>;
export declare function sameDirections(a: readonly Direction[], b: readonly Direction[]): number;
