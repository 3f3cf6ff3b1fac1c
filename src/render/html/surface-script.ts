// Turns surfaces in a page. The page shows them without this script as well.
import { DEFAULT_VIEW } from '../surface.js';

const [CENTRE, MIDDLE, SCALE] = [200, 150, 104];

/** Height of a surface's picture. */
export const SURFACE_HEIGHT = 300;

/** Returns the place of a projected point in the picture. */
export const surfacePoint = ([across, down]: readonly [number, number]): string =>
  `${(CENTRE + SCALE * across).toFixed(1)},${(MIDDLE + SCALE * down).toFixed(1)}`;

/**
 * Script that turns all surfaces of a page together: by dragging, and by the slider, which it shows. It projects as `surfaceFaces`
 * does; a test compares both.
 */
export const SURFACE_SCRIPT = `
const surfaces = [...document.querySelectorAll('.surface svg')].map((svg) => {
  const points = Number(svg.dataset.points);
  const heights = svg.dataset.heights.split(' ').map(Number);
  const colours = svg.dataset.colours.split(' ');
  return { svg, points, heights, colours, polygons: [...svg.querySelectorAll('polygon')] };
});
const view = { turn: ${DEFAULT_VIEW.turn}, tilt: ${DEFAULT_VIEW.tilt} };
function paint({ points, heights, colours, polygons }) {
  const [cos, sin, up, flat] = [Math.cos(view.turn), Math.sin(view.turn), Math.cos(view.tilt), Math.sin(view.tilt)];
  const spot = heights.map((height, at) => {
    const [u, v] = [(2 * (at % points)) / (points - 1) - 1, (2 * Math.floor(at / points)) / (points - 1) - 1];
    const depth = u * sin + v * cos;
    const [x, y] = [u * cos - v * sin, depth * flat - (height - 0.5) * up];
    return { depth, height, text: (${CENTRE} + ${SCALE} * x).toFixed(1) + ',' + (${MIDDLE} + ${SCALE} * y).toFixed(1) };
  });
  const side = points - 1;
  const faces = polygons.map((_, face) => {
    const first = Math.floor(face / side) * points + (face % side);
    const corners = [first, first + 1, first + points + 1, first + points].map((at) => spot[at]);
    const mean = corners.reduce((sum, { height }) => sum + height, 0) / 4;
    const colour = colours[Math.min(colours.length - 1, Math.floor(mean * colours.length))];
    return { depth: corners[0].depth + corners[2].depth, colour, text: corners.map(({ text }) => text).join(' ') };
  });
  faces.sort((a, b) => a.depth - b.depth);
  faces.forEach(({ colour, text }, at) => {
    polygons[at].setAttribute('points', text);
    polygons[at].setAttribute('fill', colour);
  });
}
let frame = 0;
function repaint() {
  frame = frame || requestAnimationFrame(() => {
    frame = 0;
    surfaces.forEach(paint);
  });
}
const slider = document.querySelector('.turn input');
if (slider !== null) {
  slider.parentElement.hidden = false;
  slider.addEventListener('input', () => {
    view.turn = (slider.value * Math.PI) / 180;
    repaint();
  });
  for (const { svg } of surfaces) {
    svg.addEventListener('pointerdown', (event) => svg.setPointerCapture(event.pointerId));
    svg.addEventListener('pointermove', (event) => {
      if (!svg.hasPointerCapture(event.pointerId)) return;
      const half = 2 * Math.PI;
      view.turn = ((view.turn + event.movementX / 150 + 3 * Math.PI) % half + half) % half - Math.PI;
      view.tilt = Math.max(0.15, Math.min(0.9, view.tilt + event.movementY / 200));
      slider.value = (view.turn * 180) / Math.PI;
      repaint();
    });
  }
}
`;
