import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GridPoint, ringsAbove } from '../../src/render/contours.js';

const grid = (points: number, f: (x: number, y: number) => number | null) => ({
  points,
  losses: Array.from({ length: points ** 2 }, (_, at) => f(at % points, Math.floor(at / points))),
});

/** Whether a point is inside an odd number of rings. */
function isInside(rings: readonly (readonly GridPoint[])[], [x, y]: GridPoint): boolean {
  let inside = false;
  for (const ring of rings)
    for (const [at, [x1, y1]] of ring.entries()) {
      const [x0, y0] = ring.at(at - 1) ?? [0, 0];
      if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
    }
  return inside;
}

/** The area inside the rings, holes left out. */
const areaOf = (rings: readonly (readonly GridPoint[])[]) =>
  rings.reduce((total, ring) => {
    const twice = ring.reduce((sum, [x, y], at) => {
      const [x0, y0] = ring.at(at - 1) ?? [0, 0];
      return sum + (x0 * y - x * y0);
    }, 0);
    return total + twice / 2;
  }, 0);

test('a point of the grid is in the rings just where its loss is above the level', () => {
  const loss = fc.option(fc.integer({ min: -5, max: 4 }), { freq: 9 });
  const square = fc
    .integer({ min: 2, max: 6 })
    .chain((points) =>
      fc.tuple(fc.constant(points), fc.array(loss, { minLength: points ** 2, maxLength: points ** 2 })),
    );
  fc.assert(
    fc.property(square, ([points, losses]) => {
      const rings = ringsAbove({ points, losses }, 0.5 - 1);
      for (const [at, value] of losses.entries()) {
        // A little towards the middle, because the outermost points are on a ring.
        const towards = (place: number) => place + 1e-3 * (place < (points - 1) / 2 ? 1 : -1.37);
        const place = [towards(at % points), towards(Math.floor(at / points))] as const;
        expect(isInside(rings, place), `${place} of ${losses}`).toBe((value ?? 9) > -0.5);
      }
    }),
    { seed: 4, numRuns: 300 },
  );
});

test('the area is that of the region, with its holes', () => {
  const points = 81;
  const radius = (x: number, y: number) => Math.hypot(x - 40, y - 40);
  const hill = ringsAbove(
    grid(points, (x, y) => -radius(x, y)),
    -25,
  );
  expect(Math.abs(areaOf(hill))).toBeCloseTo(Math.PI * 25 ** 2, -1);
  const bowl = ringsAbove(grid(points, radius), 25);
  expect(Math.abs(areaOf(bowl))).toBeCloseTo(80 ** 2 - Math.PI * 25 ** 2, -1);
  expect(hill).toHaveLength(1);
  expect(bowl).toHaveLength(2);
});

test('crossings are in linear proportion', () => {
  const rings = ringsAbove(
    grid(3, (x) => 10 * x),
    2.5,
  );
  const left = Math.min(...rings.flat().map(([x]) => x));
  expect(left).toBeCloseTo(0.25, 12);
});

test('everything above the level is the whole square; nothing above it has no ring', () => {
  const flat = grid(4, () => 1);
  expect(Math.abs(areaOf(ringsAbove(flat, 0)))).toBeCloseTo(9, 12);
  expect(Math.abs(areaOf(ringsAbove(flat, Number.NEGATIVE_INFINITY)))).toBeCloseTo(9, 12);
  expect(ringsAbove(flat, 2)).toEqual([]);
  expect(
    Math.abs(
      areaOf(
        ringsAbove(
          grid(4, () => null),
          2,
        ),
      ),
    ),
  ).toBeCloseTo(9, 12);
});
