import { h } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import type { Landscape } from '../../src/experiment/report-schema.js';
import { derivativeCharts, derivativeFigures } from '../../src/render/html/derivative.js';
import { Landscapes } from '../../src/render/html/landscape.js';

const landscape = (height: number, hole = false): Landscape => ({
  ...{ span: 1, points: 5, roughness: 0.0123, images: 500 },
  losses: Array.from({ length: 25 }, (_, at) =>
    hole && at === 3 ? null : 0.5 + height * ((at % 5) - 2) ** 2 + Math.floor(at / 5),
  ),
});
const render = (...landscapes: Landscape[]) => {
  const named = landscapes.map((one, at) => ({ name: `net ${at} <&>`, landscape: one }));
  return renderToString(h(Landscapes, { landscapes: named }));
};

test('a section has the scale once, and a contour, a surface and a table for each landscape', () => {
  const html = render(landscape(1), landscape(3, true));
  expect(html.match(/class="legend"/g)).toHaveLength(1);
  expect(html.match(/as bands/g)).toHaveLength(2);
  expect(html.match(/<polygon/g)).toHaveLength(2 * 16);
  expect(html.match(/<table/g)).toHaveLength(2);
  expect(html).toContain('500 test samples');
  expect(html).toContain('Roughness 0.0123');
  expect(html).toContain('1 of 25 points is not finite');
  expect(html).toContain('net 1 &lt;&amp;>');
  expect(html).not.toContain('NaN');
});

test('the same landscape has other colours beside a higher one', () => {
  const contours = (html: string) => html.match(/<path d="[^"]*" fill="#[^"]*"/g)?.slice(0, 10);
  expect(contours(render(landscape(1), landscape(1)))).toEqual(contours(render(landscape(1))));
  expect(contours(render(landscape(1), landscape(40)))).not.toEqual(contours(render(landscape(1))));
});

test('without landscapes there is no section', () => {
  expect(render()).toBe('');
});

test('a landscape without finite losses is drawn', () => {
  const html = render({ ...landscape(1), losses: Array(25).fill(null), roughness: null });
  expect(html).not.toMatch(/NaN|Infinity/);
  expect(html).toContain('No loss is finite.');
});

const derivative = (slopes: readonly number[]) => ({
  ...{ samples: 64, below: 0, above: 0.02, x: [-1.5, -0.5, 0.5, 1.5] },
  ...{ share: [0.1, 0.38, 0.4, 0.1], derivative: [...slopes] },
});

test('derivatives have a chart each, on the same scales', async () => {
  const [relu, mish] = [derivative([0, 0, 1, 1]), derivative([-0.1, 0.3, 0.9, 1.08])];
  const charts = await derivativeCharts([
    { name: 'ReLU', derivative: relu },
    { name: 'Mish', derivative: mish },
  ]);
  expect(charts.map(({ title, rows }) => [title, rows.length])).toEqual([['ReLU', 4], ['Mish', 4]]); // biome-ignore format: pairs
  expect(charts[1]?.caption).toContain('2 % lie outside the bins.');
  expect(charts[1]?.svg).toContain('38 % of the inputs');
  expect(derivativeFigures(relu).mean).toBeCloseTo(0.5 / 0.98, 12);
  expect(derivativeFigures(relu).negative).toBe(0);
  expect(derivativeFigures(mish).negative).toBeCloseTo(0.1 / 0.98, 12);
});
