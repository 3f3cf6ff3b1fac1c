// Windows of synthetic speech for the speech-embedding net, and a judge of what it makes of them.
// `node test/proof/speech.js out.npy 2500 [seed]` writes [2500, 76, 32, 1] and, as out.groups.json, where each is from.

import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { npy } from './npy.js';
import { Random } from './random.js';
import { sentence } from './sentences.js';
import { BANDS, FRAMES, HOP, melFrames, RATE, record, speak, speechMissing, VARIANTS } from './sound.js';

/** More English than anything else: the net was trained on it. */
const ACCENTS = /** @type {const} */ ([
  { language: 'en', accents: ['en', 'en-us', 'en-gb-scotland', 'en-gb-x-rp'] },
  { language: 'en', accents: ['en', 'en-us'] },
  { language: 'de', accents: ['de'] },
  { language: 'fr', accents: ['fr-fr'] },
  { language: 'es', accents: ['es', 'es-419'] },
]);
const SIZE = FRAMES * BANDS;

/**
 * Windows of a few hundred different sentences in many voices, the same for the same seed.
 * @param {{seed?: number, count?: number, perUtterance?: number}} [options] `perUtterance`: at most so many of a sentence
 */
export async function speechWindows({ seed = 1, count = 512, perUtterance = 8 } = {}) {
  if (speechMissing() !== undefined) return undefined;
  const random = new Random(`speech ${seed}`);
  const mel = await melFrames();
  const data = new Float32Array(count * SIZE);
  const groups = [];
  const times = [];
  const utterances = [];
  while (groups.length < count) {
    const { language, accents } = random.pick(ACCENTS);
    const how = {
      voice: `${random.pick(accents)}+${random.pick(VARIANTS)}`,
      speed: random.whole(125, 215),
      pitch: random.whole(20, 80),
      range: random.whole(25, 75),
    };
    const text = sentence(random, language);
    const room = {
      before: random.between(0, 0.4),
      after: random.between(0, 0.3),
      level: random.between(2, 24),
      snr: random.between(12, 45),
      colour: random.between(0, 0.95),
    };
    const frames = await mel(record(speak(text, how), random, room));
    const last = Math.floor((frames.length / BANDS - FRAMES) / HOP);
    const chosen = random.some([...Array(Math.max(0, last + 1)).keys()], perUtterance);
    for (const place of chosen.slice(0, count - groups.length)) {
      const start = place * HOP;
      data.set(frames.subarray(start * BANDS, start * BANDS + SIZE), groups.length * SIZE);
      groups.push(utterances.length);
      times.push((start * 160) / RATE);
    }
    utterances.push({ text, ...how });
  }
  return { data, dims: [count, FRAMES, BANDS, 1], groups, times, utterances };
}

/**
 * For each row the nearest other row by cosine, leaving out those of the same group; -1 where no other group is.
 * With `times` and `gap`, only those of the same group that are less than `gap` away are left out.
 * @param {Float32Array} rows @param {readonly number[]} groups
 * @param {{times?: readonly number[], gap?: number}} [options]
 */
export function nearestNeighbours(rows, groups, { times, gap = Number.POSITIVE_INFINITY } = {}) {
  const count = groups.length;
  const width = rows.length / count;
  if (!Number.isInteger(width)) throw new Error(`${rows.length} numbers are not ${count} rows`);
  const unit = new Float64Array(rows.length);
  for (let row = 0; row < count; row++) {
    let power = 0;
    for (let at = row * width; at < (row + 1) * width; at++) power += rows[at] * rows[at];
    const scale = power === 0 ? 0 : 1 / Math.sqrt(power);
    for (let at = row * width; at < (row + 1) * width; at++) unit[at] = rows[at] * scale;
  }
  const near = (a, b) => groups[a] === groups[b] && !(times && Math.abs(times[a] - times[b]) >= gap);
  const best = new Int32Array(count).fill(-1);
  const score = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      if (near(a, b)) continue;
      let cosine = 0;
      for (let k = 0; k < width; k++) cosine += unit[a * width + k] * unit[b * width + k];
      if (cosine > score[a]) [score[a], best[a]] = [cosine, b];
      if (cosine > score[b]) [score[b], best[b]] = [cosine, a];
    }
  }
  return best;
}

/**
 * The share of rows whose nearest neighbour is the same in both sets of embeddings.
 * @param {Float32Array} a @param {Float32Array} b @param {readonly number[]} groups
 * @param {{times?: readonly number[], gap?: number}} [options]
 */
export function nearestNeighbourAgreement(a, b, groups, options = {}) {
  const [first, second] = [a, b].map((rows) => nearestNeighbours(rows, groups, options));
  return first.filter((neighbour, row) => neighbour === second[row]).length / groups.length;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [path = 'speech.npy', count = '2500', seed = '1'] = process.argv.slice(2);
  const speech = await speechWindows({ seed: Number(seed), count: Number(count) });
  if (speech === undefined) {
    console.error(`no speech: ${speechMissing()}`);
    process.exit(3);
  }
  const { data, dims, ...origin } = speech;
  writeFileSync(path, npy(dims, data));
  writeFileSync(`${path.replace(/\.npy$/, '')}.groups.json`, `${JSON.stringify(origin)}\n`);
  console.error(`${count} windows of ${origin.utterances.length} utterances: ${path}`);
}
