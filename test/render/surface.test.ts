import { expect, test, vi } from 'vitest';
import { SURFACE_HEIGHT, SURFACE_SCRIPT, surfacePoint } from '../../src/render/html/surface-script.js';
import { LOSS_COLOURS, lossScale } from '../../src/render/loss-scale.js';
import { DEFAULT_VIEW, faceBands, surfaceFaces, surfaceHeights } from '../../src/render/surface.js';

const POINTS = 5;
const losses = Array.from({ length: POINTS ** 2 }, (_, at) => 1 + ((at * 7) % 11));
const scale = lossScale([{ points: POINTS, losses }]);
const heights = surfaceHeights({ points: POINTS, losses }, scale);
const bands = faceBands(heights, POINTS, LOSS_COLOURS.length);

test('a surface has a face for each cell, and the farthest comes first', () => {
  const seen = surfaceFaces(heights, bands, POINTS, { turn: 0, tilt: 0.7 });
  expect(seen.map(({ index }) => index)).toEqual(Array.from({ length: 16 }, (_, at) => at));
  const behind = surfaceFaces(heights, bands, POINTS, { turn: Math.PI, tilt: 0.7 });
  expect(behind[0]?.index).toBeGreaterThan(11);
  expect(behind.at(-1)?.index).toBeLessThan(4);
});

test('seen from above, a surface is a square; from the side, its heights', () => {
  const top = surfaceFaces(heights, bands, POINTS, { turn: 0, tilt: Math.PI / 2 });
  const [x, y] = top.find(({ index }) => index === 15)?.corners[2] ?? [];
  expect([x, y].map((value) => value?.toFixed(6))).toEqual(['1.000000', '1.000000']);
  const side = surfaceFaces(heights, bands, POINTS, { turn: 0, tilt: 0 });
  const level = side.find(({ index }) => index === 0)?.corners[0]?.[1] ?? 0;
  expect(level).toBeCloseTo(0.5 - (heights[0] ?? 0), 12);
});

test('every view fits into the picture', () => {
  for (const height of [0, 1])
    for (let turn = -3; turn < 3; turn += 0.1)
      for (const tilt of [0.15, 0.6, 0.9])
        for (const { corners } of surfaceFaces([height, height, height, height], [0], 2, { turn, tilt }))
          for (const [across, down] of corners.map((corner) => surfacePoint(corner).split(',').map(Number))) {
            expect(across).toBeGreaterThan(0);
            expect(across).toBeLessThan(400);
            expect(down).toBeGreaterThan(0);
            expect(down).toBeLessThan(SURFACE_HEIGHT);
          }
});

/** An element with the attributes that the script writes. */
const polygon = () => {
  const attributes: Record<string, string> = {};
  const setAttribute = (name: string, text: string) => {
    attributes[name] = text;
  };
  return { attributes, setAttribute };
};

test('the page’s script draws a turned surface as it is drawn without a script', () => {
  const polygons = bands.map(polygon);
  const dataset = { points: String(POINTS), heights: heights.join(' '), colours: LOSS_COLOURS.join(' ') };
  const svg = { dataset, querySelectorAll: () => polygons, addEventListener: vi.fn() };
  const listeners = new Map<string, () => void>();
  const slider = {
    value: '0',
    parentElement: { hidden: true },
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
  };
  const page = { querySelectorAll: () => [svg], querySelector: () => slider };
  new Function('document', 'requestAnimationFrame', SURFACE_SCRIPT)(
    page,
    (paint: () => void) => paint() ?? 0,
  );
  expect(slider.parentElement.hidden).toBe(false);
  for (const degrees of [34.377, 120, -77]) {
    slider.value = String(degrees);
    listeners.get('input')?.();
    const view = { ...DEFAULT_VIEW, turn: (degrees * Math.PI) / 180 };
    const faces = surfaceFaces(heights, bands, POINTS, view);
    expect(polygons.map(({ attributes }) => attributes)).toEqual(
      faces.map(({ corners, band }) => ({
        points: corners.map(surfacePoint).join(' '),
        fill: LOSS_COLOURS[band],
      })),
    );
  }
});
