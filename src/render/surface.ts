// A landscape as a surface that can be turned.
import type { LossGrid, LossScale } from './loss-scale.js';

/** Direction from which a surface is seen, in radians. */
export interface SurfaceView {
  /** Angle around the vertical axis. */
  readonly turn: number;
  /** Angle above the horizon. */
  readonly tilt: number;
}

/** A quadrilateral of a surface, in units in which the base is 2 wide and the height 1. */
export interface SurfaceFace {
  /** Number of the face, row by row. */
  readonly index: number;
  readonly corners: readonly (readonly [x: number, y: number])[];
  /** Number of the colour. */
  readonly band: number;
}

export const DEFAULT_VIEW: SurfaceView = { turn: 0.6, tilt: 0.6 };

/** Returns the height of each point, from 0 to 1 on the scale, rounded to what a picture shows. */
export function surfaceHeights({ losses }: LossGrid, scale: LossScale): number[] {
  return losses.map((loss) => Math.round(1000 * scale.place(loss)) / 1000);
}

/** Returns the number of each face's colour: the band of the mean height of its corners. */
export function faceBands(heights: readonly number[], points: number, bands: number): number[] {
  return faces(points).map(([a, b, c, d]) => {
    const mean = [a, b, c, d].reduce((sum, at) => sum + (heights[at] ?? 0), 0) / 4;
    return Math.min(bands - 1, Math.floor(mean * bands));
  });
}

/** Projects the faces of a surface, the farthest first. */
export function surfaceFaces(
  heights: readonly number[],
  bands: readonly number[],
  points: number,
  { turn, tilt }: SurfaceView,
): SurfaceFace[] {
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const [up, flat] = [Math.cos(tilt), Math.sin(tilt)];
  const across = (at: number) => (2 * (at % points)) / (points - 1) - 1;
  const along = (at: number) => (2 * Math.floor(at / points)) / (points - 1) - 1;
  const depth = (at: number) => across(at) * sin + along(at) * cos;
  const project = (at: number) =>
    [across(at) * cos - along(at) * sin, depth(at) * flat - ((heights[at] ?? 0) - 0.5) * up] as const;
  return faces(points)
    .map((corners, index) => ({
      index,
      band: bands[index] ?? 0,
      corners: corners.map(project),
      depth: depth(corners[0]) + depth(corners[2]),
    }))
    .toSorted((a, b) => a.depth - b.depth);
}

/** Returns the points at the corners of each face, around it. */
function faces(points: number): [number, number, number, number][] {
  const side = points - 1;
  return Array.from({ length: side ** 2 }, (_, face) => {
    const first = Math.floor(face / side) * points + (face % side);
    return [first, first + 1, first + points + 1, first + points];
  });
}
