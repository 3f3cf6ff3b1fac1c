// Regions of a grid above a level, by marching squares.
import type { LossGrid } from './loss-scale.js';

/** A point in grid units: columns from the left, rows from the top. */
export type GridPoint = readonly [column: number, row: number];

/**
 * Returns the closed rings around all points whose loss is at least `level`; a loss of null is above every level. Rings of holes
 * run the other way around, so that filling by either rule leaves holes free. Edges are cut in linear proportion,
 * edges to a loss of null in the middle.
 */
export function ringsAbove({ points, losses }: LossGrid, level: number): GridPoint[][] {
  const inside = (column: number, row: number) => column >= 0 && row >= 0 && column < points && row < points;
  /** The loss above the level: positive inside; -Infinity outside the grid, +Infinity for a loss of null. */
  const height = (column: number, row: number) =>
    inside(column, row)
      ? (losses[row * points + column] ?? Number.POSITIVE_INFINITY) - level
      : Number.NEGATIVE_INFINITY;
  const next = new Map<string, { readonly to: string; readonly point: GridPoint }>();
  for (let row = -1; row < points; row++) {
    for (let column = -1; column < points; column++) {
      const corners = CORNERS.map(([dx, dy]) => [column + dx, row + dy] as const);
      const heights = corners.map(([x, y]) => height(x, y));
      const above = heights.map((value) => value >= 0);
      for (const [from, to] of segments(above)) {
        const [start, end] = [from, to].map((edge) => ({
          key: edgeKey(column, row, edge),
          point: crossing(corners, heights, edge, points),
        }));
        if (start !== undefined && end !== undefined)
          next.set(start.key, { to: end.key, point: start.point });
      }
    }
  }
  return linked(next);
}

/** Corners of a cell, clockwise from the top left; edge n goes from corner n to the next. */
const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]] as const; // biome-ignore format: one line

/** Returns the segments in a cell, each from the edge where the region begins to the edge where it ends, clockwise. */
function segments(above: readonly boolean[]): [number, number][] {
  const enters: number[] = [];
  const leaves: number[] = [];
  for (let edge = 0; edge < 4; edge++) {
    const [from, to] = [above[edge] ?? false, above[(edge + 1) % 4] ?? false];
    if (!from && to) enters.push(edge);
    if (from && !to) leaves.push(edge);
  }
  // In a saddle each corner above the level stands alone.
  return leaves.map((leave) => {
    const enter = [1, 2, 3].map((back) => (leave + 4 - back) % 4).find((edge) => enters.includes(edge));
    return [leave, enter ?? leave];
  });
}

/** Names an edge of a cell, so that both cells at the edge give the same name. */
function edgeKey(column: number, row: number, edge: number): string {
  if (edge === 0) return `${column},${row},h`;
  if (edge === 2) return `${column},${row + 1},h`;
  return edge === 1 ? `${column + 1},${row},v` : `${column},${row},v`;
}

/** Returns the point of an edge at the level. Outside the grid, that is the last point inside. */
function crossing(
  corners: readonly GridPoint[],
  heights: readonly number[],
  edge: number,
  points: number,
): GridPoint {
  const [a, b] = [corners[edge] ?? ORIGIN, corners[(edge + 1) % 4] ?? ORIGIN];
  const [from, to] = [heights[edge] ?? 0, heights[(edge + 1) % 4] ?? 0];
  const clamped = from === Number.NEGATIVE_INFINITY ? 1 : to === Number.NEGATIVE_INFINITY ? 0 : undefined;
  const measured = Number.isFinite(from) && Number.isFinite(to);
  const share = clamped ?? (measured ? from / (from - to) : 0.5);
  const clamp = (value: number) => Math.max(0, Math.min(points - 1, value));
  return [clamp(a[0] + share * (b[0] - a[0])), clamp(a[1] + share * (b[1] - a[1]))];
}

const ORIGIN: GridPoint = [0, 0];

/** Joins segments to rings. Each segment begins where exactly one other ends. */
function linked(next: Map<string, { readonly to: string; readonly point: GridPoint }>): GridPoint[][] {
  const rings: GridPoint[][] = [];
  for (const [first] of next) {
    const ring: GridPoint[] = [];
    for (let key = first, one = next.get(key); one !== undefined; one = next.get(key)) {
      next.delete(key);
      ring.push(one.point);
      key = one.to;
    }
    if (ring.length > 2) rings.push(ring);
  }
  return rings;
}
