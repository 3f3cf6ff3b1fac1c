// Pictures with text for the text detector, and lines of text for the net that tells which way up they are. The letters
// are drawn by sharp from SVG; so the place of each line is known.

import sharp from 'sharp';
import { Random } from './random.js';
import { sentence } from './sentences.js';

/** The fonts of Debian's package fonts-dejavu-core. */
const FONTS = ['DejaVu Sans', 'DejaVu Serif', 'DejaVu Sans Mono'];

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const svg = (width, height, inside) =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${inside}</svg>`,
  );

/** Red, green, blue and opacity of each pixel. */
async function pixels(image) {
  const { data, info } = await sharp(image).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** Why there are no pictures with text here; undefined where there are. Without a font, all letters are the same box. */
export async function fontsMissing() {
  const [one, other] = await Promise.all(
    ['MiMi', 'aWaW'].map((text) => {
      const attributes = 'x="5" y="30" font-family="DejaVu Sans" font-size="30"';
      return pixels(svg(160, 40, `<text ${attributes}>${text}</text>`));
    }),
  );
  return one.data.equals(other.data)
    ? 'there are no fonts (Debian: apt-get install fonts-dejavu-core)'
    : undefined;
}

/** Words, numbers, prices, dates: what stands on signs, pages and screens. */
function writing(random, letters) {
  const words = () => {
    const all = sentence(random, random.pick(['en', 'en', 'de', 'fr', 'es']))
      .replace(/[?.,]/g, '')
      .split(/\s+/);
    const start = random.whole(0, all.length - 1);
    const text = all.slice(start, start + random.whole(1, 4)).join(' ');
    return random.pick([text, text, text.toUpperCase(), text.replace(/^./u, (first) => first.toUpperCase())]);
  };
  const digits = (count) => Array.from({ length: count }, () => random.whole(0, 9)).join('');
  const text = random.pick([
    words,
    words,
    words,
    words,
    () => `${random.whole(1, 99)}.${digits(2)} €`,
    () => `${random.whole(1, 28)}/${random.whole(1, 12)}/20${digits(2)}`,
    () => `No. ${digits(random.whole(3, 6))}`,
    () => `${random.whole(0, 23)}:${random.whole(10, 59)}`,
    () => `www.${random.pick(['garden', 'bridge', 'lantern', 'harbour'])}.org`,
    () =>
      `${random.pick(['EXIT', 'OPEN', 'Menu', 'Total', 'SALE', 'Platform', 'Gate', 'Room'])} ${digits(2)}`,
  ])();
  return text.slice(0, letters).trim();
}

const styleOf = (random, size) => ({
  size,
  font: random.pick(FONTS),
  weight: random.pick(['normal', 'normal', 'bold']),
  stretch: random.between(0.8, 1.2),
  slant: random.pick([0, 0, 0, -12]),
  spacing: random.pick([0, 0, 0, 0.08 * size]),
});

/** A line of text alone, cut to its ink. */
async function line({ text, angle, colour, size, font, weight, stretch, slant, spacing }) {
  const long = Math.ceil(text.length * (0.95 * size + spacing) * stretch + 2 * size);
  const high = Math.ceil(3 * size + long * Math.abs(Math.sin((angle * Math.PI) / 180)));
  const { data, width, height } = await pixels(
    svg(
      long,
      high,
      `<text transform="translate(${long / 2} ${high / 2 + 0.35 * size}) rotate(${angle}) skewX(${slant}) scale(${stretch} 1)"
      text-anchor="middle" font-family="${font}" font-weight="${weight}" font-size="${size}"
      letter-spacing="${spacing}" fill="${colour}">${escaped(text)}</text>`,
    ),
  );
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[4 * (y * width + x) + 3] < 64) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  return { data, stride: width, left, top, width: right - left, height: bottom - top };
}

/** Puts ink on a picture of red, green and blue. */
function lay(picture, width, ink, left, top) {
  for (let y = 0; y < ink.height; y++) {
    for (let x = 0; x < ink.width; x++) {
      const from = 4 * ((ink.top + y) * ink.stride + ink.left + x);
      const to = 3 * ((top + y) * width + left + x);
      const opacity = ink.data[from + 3] / 255;
      for (let channel = 0; channel < 3; channel++) {
        picture[to + channel] += opacity * (ink.data[from + channel] - picture[to + channel]);
      }
    }
  }
}

const hsl = (hue, saturation, light) =>
  `hsl(${hue.toFixed(0)}, ${saturation.toFixed(0)}%, ${light.toFixed(0)}%)`;

/** Paper, walls and screens: a shade or two, with some things on them that are no text. */
async function backdrop(random, width, height) {
  const [hue, saturation, light] = [random.between(0, 360), random.between(0, 60), random.between(8, 97)];
  const end = Math.max(3, Math.min(98, light + random.between(-18, 18)));
  const things = Array.from({ length: random.pick([0, 0, 1, 2, 4, 6]) }, () => {
    const fill = hsl(random.between(0, 360), random.between(0, 60), light + random.between(-14, 14));
    const [x, y] = [random.between(0, width), random.between(0, height)];
    const [w, h] = [random.between(0.1, 0.5) * width, random.between(0.05, 0.4) * height];
    return random.pick([
      `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${random.whole(0, 8)}" fill="${fill}"/>`,
      `<circle cx="${x}" cy="${y}" r="${h / 2}" fill="${fill}"/>`,
      `<path d="M${x} ${y}l${w} ${h - 60}" stroke="${fill}" stroke-width="${random.whole(1, 6)}"/>`,
    ]);
  });
  const { data } = await pixels(
    svg(
      width,
      height,
      `<defs><linearGradient id="shade" x2="${random.next().toFixed(2)}" y2="1">
        <stop stop-color="${hsl(hue, saturation, light)}"/>
        <stop offset="1" stop-color="${hsl(hue, saturation, end)}"/></linearGradient></defs>
      <rect width="100%" height="100%" fill="url(#shade)"/>${things.join('')}`,
    ),
  );
  const picture = new Float32Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) picture[3 * pixel + channel] = data[4 * pixel + channel];
  }
  return { picture, light };
}

/** Dark ink on light ground, or the other way round. */
function inkFor(random, light) {
  const apart = random.between(22, 90);
  const tone = light > 50 ? Math.max(0, light - apart) : Math.min(100, light + apart);
  return hsl(random.between(0, 360), random.between(0, 70), tone);
}

/** Out of focus a little or not, and the camera's noise. */
async function photograph(random, picture, width, height) {
  const grain = random.pick([0, 2, 5, 10]);
  const shaken = Buffer.from(Uint8ClampedArray.from(picture, (value) => value + grain * random.normal()));
  const image = sharp(shaken, { raw: { width, height, channels: 3 } });
  const soft = random.pick([0, 0, 0.5, 0.8]);
  return soft === 0 ? shaken : image.blur(soft).raw().toBuffer();
}

/** Planes of red, green and blue, each pixel put through `(value, channel) => number`. */
function planes(rgb, out, start, change) {
  const size = rgb.length / 3;
  for (let pixel = 0; pixel < size; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      out[start + channel * size + pixel] = change(rgb[3 * pixel + channel] / 255, channel);
    }
  }
}

/**
 * Blocks of one line or several onto a square picture, each where nothing is yet.
 * @returns {Promise<{text: string, left: number, top: number, right: number, bottom: number}[]>} the lines, by their ink
 */
async function write(random, picture, side, light) {
  const [edge, apart] = [4, 5];
  const tilt = random.pick([0, 0, 1]) * random.between(-8, 8);
  const placed = [];
  const free = (box) =>
    placed.every(
      (other) =>
        box.left > other.right + apart ||
        other.left > box.right + apart ||
        box.top > other.bottom + apart ||
        other.top > box.bottom + apart,
    );
  for (let open = random.whole(2, 8); open > 0; open--) {
    const size = 10 * random.between(1, 2.1) ** 2;
    const style = styleOf(random, size);
    const colour = inkFor(random, light);
    const rows = size < 26 && tilt === 0 ? random.pick([1, 1, 2, 3, 4]) : 1;
    const gap = Math.round(random.between(0.35, 0.9) * size);
    const block = [];
    for (let row = 0; row < rows; row++) {
      const text = writing(random, Math.max(3, Math.floor((1.4 * side) / size)));
      block.push({ text, ink: await line({ text, angle: tilt, colour, ...style }) });
    }
    const wide = Math.max(...block.map(({ ink }) => ink.width));
    const high = block.reduce((sum, { ink }) => sum + ink.height + gap, -gap);
    if (wide > side - 2 * edge || high > side - 2 * edge) continue;
    for (let attempt = 0; attempt < 8; attempt++) {
      const left = random.whole(edge, side - edge - wide);
      const top = random.whole(edge, side - edge - high);
      if (!free({ left, top, right: left + wide, bottom: top + high })) continue;
      let at = top;
      for (const { text, ink } of block) {
        lay(picture, side, ink, left, at);
        placed.push({ text, left, top: at, right: left + ink.width, bottom: at + ink.height });
        at += ink.height + gap;
      }
      break;
    }
  }
  return placed;
}

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/**
 * Pictures for the text detector, the same for the same seed.
 * @param {{seed?: number, count?: number, size?: number}} [options] `size`: of a side in pixels, a multiple of 32
 */
export async function textPictures({ seed = 1, count = 16, size = 320 } = {}) {
  if ((await fontsMissing()) !== undefined) return undefined;
  const random = new Random(`pictures ${seed}`);
  const data = new Float32Array(count * 3 * size * size);
  const lines = [];
  const images = [];
  for (let index = 0; index < count; index++) {
    const { picture, light } = await backdrop(random, size, size);
    const placed = await write(random, picture, size, light);
    const rgb = await photograph(random, picture, size, size);
    planes(
      rgb,
      data,
      index * 3 * size * size,
      (value, channel) => (value - MEAN[channel]) / DEVIATION[channel],
    );
    lines.push(placed);
    images.push(rgb);
  }
  return { data, dims: [count, 3, size, size], lines, images };
}

const LINE = { width: 192, height: 48 };

/**
 * Lines of text as the direction classifier takes them: 48 pixels high, filled up with grey on the right, half of them
 * upside down.
 * @param {{seed?: number, count?: number}} [options]
 */
export async function textLines({ seed = 1, count = 64 } = {}) {
  if ((await fontsMissing()) !== undefined) return undefined;
  const random = new Random(`lines ${seed}`);
  const { width, height } = LINE;
  const data = new Float32Array(count * 3 * width * height); // 0 is the grey
  const turned = [];
  const texts = [];
  const images = [];
  for (let index = 0; index < count; index++) {
    const upsideDown = index % 2 === 1;
    const size = random.between(18, 44);
    const text = writing(random, 16).padEnd(2, '8');
    const ink = await line({
      ...styleOf(random, size),
      text,
      angle: random.between(-2, 2),
      colour: '#000', // replaced below, where the ground is known
    });
    const edge = Math.ceil(random.between(0.05, 0.25) * size);
    const [wide, high] = [ink.width + 2 * edge, ink.height + 2 * edge];
    const { picture, light } = await backdrop(random, wide, high);
    const ground = await pixels(svg(1, 1, `<rect width="1" height="1" fill="${inkFor(random, light)}"/>`));
    for (let at = 0; at < ink.data.length; at++) if (at % 4 < 3) ink.data[at] = ground.data[at % 4];
    lay(picture, wide, ink, edge, edge);
    const rgb = await photograph(random, picture, wide, high);
    const fitted = Math.min(width, Math.ceil((height * wide) / high));
    const crop = await sharp(rgb, { raw: { width: wide, height: high, channels: 3 } })
      .rotate(upsideDown ? 180 : 0)
      .resize(fitted, height, { fit: 'fill', kernel: 'linear' })
      .removeAlpha()
      .raw()
      .toBuffer();
    const padded = new Float32Array(3 * fitted * height);
    planes(crop, padded, 0, (value) => 2 * value - 1);
    for (let row = 0; row < 3 * height; row++) {
      const start = index * 3 * width * height + row * width;
      data.set(padded.subarray(row * fitted, (row + 1) * fitted), start);
    }
    turned.push(upsideDown);
    texts.push(text);
    images.push({ rgb: crop, width: fitted, height });
  }
  return { data, dims: [count, 3, height, width], turned, texts, images };
}
