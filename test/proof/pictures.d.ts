export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Feeds {
  /** Samples one after the other, [count, 3, height, width]. */
  data: Float32Array;
  dims: [number, number, number, number];
}

export interface Pictures extends Feeds {
  /** For each picture its lines of text, by their ink. */
  lines: (Box & { text: string })[][];
  /** Red, green and blue of each pixel, to look at. */
  images: Buffer[];
}

export interface Lines extends Feeds {
  turned: boolean[];
  texts: string[];
  images: { rgb: Buffer; width: number; height: number }[];
}

export declare function fontsMissing(): Promise<string | undefined>;
/** Undefined where there are no fonts. `size` is a multiple of 32. */
export declare function textPictures(options?: {
  seed?: number;
  count?: number;
  size?: number;
}): Promise<Pictures | undefined>;
/** Undefined where there are no fonts. */
export declare function textLines(options?: { seed?: number; count?: number }): Promise<Lines | undefined>;
