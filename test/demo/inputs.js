// Input for the demo, made here: a voice-like sound and a picture with text, both from arithmetic alone,
// so that the models see something of the kind they were trained on without a recording being shipped.

/** Two seconds of 16 kHz sound like a voice: a falling pitch whose harmonics pass through moving formants. */
export function voice(seconds = 2, rate = 16_000) {
  const samples = new Float32Array(seconds * rate);
  let phase = 0;
  for (let index = 0; index < samples.length; index++) {
    const t = index / rate;
    const pitch = 140 - 25 * t + 8 * Math.sin(2 * Math.PI * 3 * t);
    phase += (2 * Math.PI * pitch) / rate;
    const formants = [500 + 200 * Math.sin(4 * t), 1500 + 500 * Math.sin(5 * t + 1), 2500];
    let value = 0;
    for (let harmonic = 1; harmonic <= 24; harmonic++) {
      const frequency = harmonic * pitch;
      const gain = formants.reduce(
        (sum, formant) => sum + Math.exp(-(((frequency - formant) / 150) ** 2)),
        0.02,
      );
      value += (gain / harmonic ** 0.5) * Math.sin(harmonic * phase);
    }
    const syllables = 0.5 - 0.5 * Math.cos(2 * Math.PI * 4 * t); // four syllables a second
    samples[index] = 2000 * syllables * value; // openWakeWord feeds 16-bit amplitudes
  }
  return samples;
}

/** Letters as seven rows of five dots. */
const GLYPHS = {
  O: ['01110', '10001', '10001', '10001', '10001', '10001', '01110'],
  N: ['10001', '11001', '10101', '10011', '10001', '10001', '10001'],
  X: ['10001', '01010', '00100', '00100', '00100', '01010', '10001'],
  M: ['10001', '11011', '10101', '10101', '10001', '10001', '10001'],
  I: ['01110', '00100', '00100', '00100', '00100', '00100', '01110'],
  S: ['01111', '10000', '10000', '01110', '00001', '00001', '11110'],
  H: ['10001', '10001', '10001', '11111', '10001', '10001', '10001'],
};

/**
 * Dark words on light paper as [1, 3, height, width], with the mean and deviation that the detector expects.
 * `lines` are words with their left and top edge and the size of a dot, in pixels.
 */
export function picture(height, width, lines) {
  const grey = new Float32Array(height * width).fill(0.92);
  const write = (text, left, top, size) => {
    [...text].forEach((letter, place) => {
      (GLYPHS[letter] ?? []).forEach((row, y) => {
        [...row].forEach((dot, x) => {
          if (dot === '0') return;
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) {
              grey[(top + y * size + dy) * width + left + (place * 6 + x) * size + dx] = 0.12;
            }
          }
        });
      });
    });
  };
  for (const [text, left, top, size] of lines) write(text, left, top, size);
  const mean = [0.485, 0.456, 0.406];
  const deviation = [0.229, 0.224, 0.225];
  const data = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel++) {
    for (let pixel = 0; pixel < grey.length; pixel++) {
      data[channel * grey.length + pixel] = (grey[pixel] - mean[channel]) / deviation[channel];
    }
  }
  return { elemType: 'f32', dims: [1, 3, height, width], data };
}
