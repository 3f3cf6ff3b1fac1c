import { describe, expect, test } from 'vitest';
import { parseNpy } from '../../src/data/npy.js';
import { swap } from '../../src/mish/swap.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { npy } from './npy.js';
import { Random } from './random.js';
import { sentence } from './sentences.js';
import { decodeWav, embed, RATE, record, resample, speechMissing, windowsOf } from './sound.js';
import { nearestNeighbourAgreement, nearestNeighbours, speechWindows } from './speech.js';
import { wakeWords } from './wakeword.js';

const missing = speechMissing();
const rms = (samples: Float32Array) => Math.hypot(...samples) / Math.sqrt(samples.length);
const tone = (frequency: number, rate: number) =>
  Float32Array.from({ length: rate / 4 }, (_, index) =>
    Math.sin((2 * Math.PI * frequency * index) / rate + 1),
  );

describe('random numbers', () => {
  test('are even, and the same for the same seed', () => {
    const [a, b, c] = ['1', '1', '2'].map((seed) => {
      const random = new Random(seed);
      return Array.from({ length: 20_000 }, () => random.next());
    });
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    const shares = Array.from(
      { length: 10 },
      (_, bin) => a?.filter((x) => Math.floor(10 * x) === bin).length,
    );
    for (const share of shares) expect(Math.abs((share ?? 0) - 2000)).toBeLessThan(200);
  });

  test('normal ones have mean 0 and deviation 1', () => {
    const random = new Random(3);
    const values = Float32Array.from({ length: 20_000 }, () => random.normal());
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0, 1);
    expect(rms(values)).toBeCloseTo(1, 1);
  });

  test('some of a list are different, in order, and as many as asked for', () => {
    const random = new Random(4);
    const list = [...'abcdefghij'];
    const some = random.some(list, 4);
    expect(some).toHaveLength(4);
    expect(some).toEqual(list.filter((letter) => some.includes(letter)));
    expect(random.some(list, 99)).toEqual(list);
  });
});

test('sentences hardly ever come twice', () => {
  const random = new Random(1);
  const texts = Array.from({ length: 500 }, () => sentence(random, random.pick(['en', 'de', 'fr', 'es'])));
  expect(new Set(texts).size).toBeGreaterThan(490);
});

describe('resampling from 22,050 to 16,000 Hz', () => {
  test.each([0, 100, 1000, 3000, 6000, 7000])('keeps %i Hz', (frequency) => {
    const out = resample(tone(frequency, 22_050), 22_050, RATE);
    const expected = tone(frequency, RATE);
    expect(out.length).toBe(3999); // 5,512 samples are a little less than a quarter of a second
    const middle = out.subarray(100, -100);
    const error = middle.map((value, index) => value - (expected[index + 100] ?? 0));
    expect(rms(error)).toBeLessThan(0.01);
  });

  test.each([8300, 9000, 10_500])('lets nothing of %i Hz fold back', (frequency) => {
    const out = resample(tone(frequency, 22_050), 22_050, RATE).subarray(100, -100);
    expect(20 * Math.log10(rms(out) / Math.SQRT1_2)).toBeLessThan(-60);
  });
});

test('a WAV file is decoded, even where its length was not known when it was begun', () => {
  const wav = new DataView(new ArrayBuffer(44 + 6));
  const text = (at: number, letters: string) => {
    for (const [index, letter] of [...letters].entries()) wav.setUint8(at + index, letter.charCodeAt(0));
  };
  text(0, 'RIFF....WAVEfmt ');
  wav.setUint32(16, 16, true);
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    wav.setUint16(at, value, true);
  wav.setUint32(24, 22_050, true);
  text(36, 'data');
  wav.setUint32(40, 0x7ffff000, true);
  for (const [index, value] of [1, -2, 300].entries()) wav.setInt16(44 + 2 * index, value, true);
  const { rate, samples } = decodeWav(new Uint8Array(wav.buffer));
  expect(rate).toBe(22_050);
  expect([...samples]).toEqual([1, -2, 300]);
});

test('a recording has the level and the noise that were asked for', () => {
  const speech = tone(440, RATE);
  const out = record(speech, new Random(1), { before: 0.5, after: 0.25, level: 6, snr: 20 });
  expect(out.length).toBe(RATE);
  const noise = rms(out.subarray(0, RATE / 2));
  const voice = rms(out.subarray(RATE / 2, RATE / 2 + speech.length));
  expect(20 * Math.log10(voice / (32767 * Math.SQRT1_2))).toBeCloseTo(-6, 0);
  expect(20 * Math.log10(voice / noise)).toBeCloseTo(20, 0);
});

test('windows begin every 8 frames and hold 76', () => {
  const frames = Float32Array.from({ length: 92 * 32 }, (_, index) => index);
  const windows = windowsOf(frames);
  expect(windows.length).toBe(3 * 76 * 32);
  expect(windows[76 * 32]).toBe(8 * 32);
  expect(windows.at(-1)).toBe(92 * 32 - 1);
  expect(windowsOf(frames.subarray(0, 75 * 32))).toHaveLength(0);
});

test('an .npy file is one that the project reads', () => {
  const data = Float32Array.of(1, -2, 3, 4.5, 0, 6);
  expect(parseNpy(npy([2, 3], data), 'x')).toMatchObject({ dims: [2, 3], data });
});

describe('nearest neighbours', () => {
  const at = (...degrees: number[]) =>
    Float32Array.from(
      degrees.flatMap((angle) => [angle, angle + 90].map((a) => Math.sin((a * Math.PI) / 180))),
    );

  test('are the closest by angle, in another group', () => {
    expect([...nearestNeighbours(at(0, 1, 10, 100), [0, 1, 2, 3])]).toEqual([1, 0, 1, 2]);
    expect([...nearestNeighbours(at(0, 1, 10, 100), [0, 0, 1, 1])]).toEqual([2, 2, 1, 1]);
    expect([...nearestNeighbours(at(0, 1), [0, 0])]).toEqual([-1, -1]);
  });

  test('of the same group count where they are far enough in time', () => {
    const options = { times: [0, 5, 0, 0], gap: 1 };
    expect([...nearestNeighbours(at(0, 1, 10, 100), [0, 0, 1, 1], options)]).toEqual([1, 0, 1, 1]);
  });

  test('agree wholly where the embeddings are the same but for their lengths', () => {
    const random = new Random(5);
    const a = Float32Array.from({ length: 40 * 96 }, () => random.normal());
    const groups = Array.from({ length: 40 }, (_, row) => row >> 2);
    const b = a.map((value, index) => value * (1 + (Math.floor(index / 96) % 7)));
    expect(nearestNeighbourAgreement(a, b, groups)).toBe(1);
    const other = a.map(() => random.normal());
    expect(nearestNeighbourAgreement(a, other, groups)).toBeLessThan(0.2);
  });

  test('agree by the share that stayed', () => {
    expect(nearestNeighbourAgreement(at(0, 1, 10, 100), at(0, 1, 95, 100), [0, 1, 2, 3])).toBe(0.75);
  });
});

describe('synthetic speech', () => {
  test('is the same for the same seed, says where it is from, and shows what a plain swap breaks', async ({
    skip,
  }) => {
    skip(missing !== undefined, missing);
    const [speech, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => speechWindows({ seed, count: 60, perUtterance: 5 })),
    );
    if (!speech || !again || !other) throw new Error('no speech');
    expect(speech.dims).toEqual([60, 76, 32, 1]);
    expect(speech.data.length).toBe(60 * 76 * 32);
    expect(speech.data.every(Number.isFinite)).toBe(true);
    expect(Buffer.from(again.data.buffer).equals(Buffer.from(speech.data.buffer))).toBe(true);
    expect({ ...again, data: 0 }).toEqual({ ...speech, data: 0 });
    expect(other.data).not.toEqual(speech.data);
    expect(speech.groups).toHaveLength(60);
    expect(Math.max(...speech.groups)).toBe(speech.utterances.length - 1);
    for (let index = 1; index < 60; index++) {
      if (speech.groups[index] !== speech.groups[index - 1]) continue;
      expect(speech.times[index]).toBeGreaterThan(speech.times[index - 1] ?? Number.NaN);
    }
    const model = bytesOf(REAL_MODELS.embedding);
    const swapped = await (await swap(model)).output.bytes();
    const [a, b] = [await embed(model, speech.data), await embed(swapped, speech.data)];
    expect(nearestNeighbourAgreement(a, a, speech.groups)).toBe(1);
    expect(nearestNeighbourAgreement(a, b, speech.groups)).toBeLessThan(0.8);
  });

  test('wakes the original, and no longer the net that is near to ReLU instead of LeakyReLU', async ({
    skip,
  }) => {
    skip(missing !== undefined, missing);
    skip(!isHeavy, HEAVY_ONLY);
    const options = { positives: 2, negatives: 3 };
    const model = bytesOf(REAL_MODELS.embedding);
    const original = await wakeWords(model, options);
    expect(original).toHaveLength(6);
    for (const { phrase, positives, fired, gained, negatives, falseAlarms } of original ?? []) {
      expect({ phrase, positives, fired, gained }).toEqual({ phrase, positives: 2, fired: 2, gained: 0 });
      expect(falseAlarms).toBeLessThan(negatives / 4);
    }
    const sharp = await wakeWords(
      await (await swap(model, { form: 'exp', beta: 16 })).output.bytes(),
      options,
    );
    expect(sharp?.reduce((sum, { fired }) => sum + fired, 0)).toBeLessThan(3);
  });
});
