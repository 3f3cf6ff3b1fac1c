import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp, { type Color, type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImage, listImages, listSamples } from '../../src/node/read-images.js';
import { type Folder, tempFolder } from '../support/folder.js';
import torchvision from './read-images.json' with { type: 'json' };

/** A folder with these files in it, empty unless their contents matter. */
async function folderOf(...names: string[]): Promise<Folder> {
  const folder = await tempFolder();
  for (const name of names) {
    await mkdir(folder.at(name, '..'), { recursive: true });
    if (!name.endsWith('/')) await folder.write(name, '');
    else await mkdir(folder.at(name), { recursive: true });
  }
  return folder;
}

async function listed(folder: Folder): Promise<[string, number][]> {
  const { images } = await listImages(folder.path);
  return images.map(({ path, label }) => [path.slice(folder.path.length + 1).replaceAll('\\', '/'), label]);
}

describe('the list', () => {
  test('has the classes in sorted order, empty ones counted, and each one’s images sorted', async () => {
    const folder = await folderOf('dog/b.PNG', 'dog/a.jpeg', 'cat/1.webp', 'bird/', 'dog/more/c.tiff');
    expect((await listImages(folder.path)).classes).toEqual(['bird', 'cat', 'dog']);
    expect(await listed(folder)).toEqual([
      ['cat/1.webp', 1],
      ['dog/a.jpeg', 2],
      ['dog/b.PNG', 2],
      ['dog/more/c.tiff', 2],
    ]);
  });

  test('takes folders of whole numbers for the classes’ numbers, only if all are', async () => {
    expect(await listed(await folderOf('10/a.png', '9/a.png', '007/a.png'))).toEqual([
      ['007/a.png', 7],
      ['10/a.png', 10],
      ['9/a.png', 9],
    ]);
    expect(await listed(await folderOf('10/a.png', '9/a.png', 'x/a.png'))).toEqual([
      ['10/a.png', 0],
      ['9/a.png', 1],
      ['x/a.png', 2],
    ]);
  });

  test('has the numbers of other images’ classes, if these are given', async () => {
    const labels = async (folder: Folder, classes: readonly string[]) =>
      (await listImages(folder.path, { classes })).images.map(({ label }) => label);
    const names = ['ant', 'bee', 'cat', 'dog'];
    for (const few of [['cat'], ['ant', 'dog'], ['bee', 'cat', 'dog']]) {
      const folder = await folderOf(...few.map((name) => `${name}/1.png`), 'unknown/');
      expect(await labels(folder, names)).toEqual(few.map((name) => names.indexOf(name)));
    }
    expect(await labels(await folderOf('5/1.png', '11/1.png'), ['2', '5', '7'])).toEqual([11, 5]);
    for (const classes of [names, ['1', '2']]) {
      const other = await folderOf('ant/1.png', 'unknown/deep/1.png');
      await expect(listImages(other.path, { classes })).rejects.toMatchObject({
        code: 'bad-data',
        what: expect.stringMatching(/^'(ant|unknown)' is no class of the other images$/),
      });
    }
  });

  test('leaves out what is no image, what is hidden, and what has no class', async () => {
    const names = ['a/1.png', 'a/1.txt', 'a/._1.png', 'a/.cache/2.png', '.git/3.png', '4.png', 'labels.csv'];
    expect(await listed(await folderOf(...names))).toEqual([['a/1.png', 0]]);
  });

  test('has files only, and follows links to folders, once in a circle', async () => {
    const folder = await folderOf('a/1.png', 'a/dir.png/2.png', 'a/deep/3.png', 'other/4.png', 'set/b/5.png');
    await symlink('..', folder.at('a/deep/up'), 'junction');
    await symlink(folder.at('other'), folder.at('set/b/linked'), 'junction');
    const names = async (path: string) => {
      const { images } = await listImages(folder.at(path));
      return images.map((image) => image.path.slice(folder.at(path).length + 1).replaceAll('\\', '/'));
    };
    expect(await names('set')).toEqual(['b/5.png', 'b/linked/4.png']);
    expect(await names('.')).toEqual([
      ...['a/1.png', 'a/deep/3.png', 'a/dir.png/2.png', 'other/4.png', 'set/b/5.png', 'set/b/linked/4.png'],
    ]);
  });

  test('tells how many images beside those of the classes are left out', async () => {
    for (const [inside, beside] of [
      [0, 3],
      [2, 0],
      [1, 1],
      [1, 4],
    ] as const) {
      // biome-ignore format: one line
      const names = Array.from({ length: beside }, (_, at) => `${at}.png`);
      const classes = Array.from({ length: inside }, (_, at) => `c/${at}.png`);
      const folder = await folderOf('c/', 'readme.txt', '.hidden.png', ...names, ...classes);
      const told: number[] = [];
      const images = await listSamples(folder.path, (count) => told.push(count));
      expect(images).toHaveLength(inside === 0 ? beside : inside);
      expect(told).toEqual(inside > 0 && beside > 0 ? [beside] : []);
    }
  });

  test('is the same below a hidden folder', async () => {
    const folder = await folderOf('.cache/set/a/1.png', '.cache/set/b/.x/2.png');
    const { images } = await listImages(folder.at('.cache/set'));
    expect(images).toEqual([{ path: join(folder.at('.cache/set'), 'a', '1.png'), label: 0 }]);
  });

  test.each(['bmp', 'ppm', 'pgm', 'HEIC', 'jp2', 'jxl', 'tga'])(
    'refuses an image in %s, which other tools read',
    async (extension) => {
      for (const name of [`b/deep/2.${extension}`, `2.${extension}`]) {
        const folder = await folderOf('1.png', name);
        const list = name.includes('/') ? listImages(folder.path) : listSamples(folder.path);
        await expect(list).rejects.toThrow(
          expect.objectContaining({ code: 'bad-data', where: join(folder.path, name) }),
        );
      }
    },
  );

  test('refuses a folder that is not there, is a file, or has no images', async () => {
    const folder = await folderOf('a/1.txt', 'b.png');
    await expect(listImages(folder.at('nowhere'))).rejects.toThrow(
      expect.objectContaining({ code: 'io', where: folder.at('nowhere') }),
    );
    await expect(listImages(folder.at('b.png'))).rejects.toThrow(expect.objectContaining({ code: 'io' }));
    await expect(listImages(folder.path)).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-data',
        where: folder.path,
        fix: expect.stringContaining('cat/1.jpg'),
      }),
    );
  });
});

const RED = { r: 200, g: 30, b: 10 };

function plain(width: number, height: number, background: Color, channels: 3 | 4 = 3): Sharp {
  return sharp({ create: { width, height, channels, background } });
}

/** Decodes to a square. */
async function decoded(bytes: Uint8Array, side = 8, resize?: number): Promise<Uint8Array> {
  const folder = await tempFolder();
  const path = await folder.write('image', bytes);
  const { data, width, height } = await decodeImage(path, { width: side, height: side, resize });
  expect([width, height, data.length]).toEqual([side, side, side * side * 3]);
  return data;
}

/** The different pixels, as [red, green, blue]. */
function pixels(data: Uint8Array): number[][] {
  const found = new Map<string, number[]>();
  for (let at = 0; at < data.length; at += 3) {
    const pixel = Array.from(data.subarray(at, at + 3));
    found.set(pixel.join(), pixel);
  }
  return [...found.values()];
}

describe('decoding', () => {
  test.each([
    [64, 64],
    [30, 100],
    [100, 30],
    [3, 5],
    [1, 1],
  ])('a solid colour of %i x %i stays what it is', async (width, height) => {
    expect(pixels(await decoded(await plain(width, height, RED).png().toBuffer()))).toEqual([[200, 30, 10]]);
  });

  test.each(['png', 'webp', 'gif', 'tiff', 'avif', 'jpeg'] as const)('reads %s', async (format) => {
    const data = await decoded(await plain(16, 16, RED).toFormat(format).toBuffer());
    const off = data.map((value, at) => Math.abs(value - ([200, 30, 10][at % 3] ?? 0)));
    expect(Math.max(...off)).toBeLessThanOrEqual(3); // WebP, JPEG and AVIF lose a little
  });

  test('gray is three equal channels, of 8 bits or 16', async () => {
    const gray = plain(16, 16, { r: 77, g: 77, b: 77 }).grayscale();
    expect(pixels(await decoded(await gray.clone().png().toBuffer()))).toEqual([[77, 77, 77]]);
    expect(pixels(await decoded(await gray.toColourspace('grey16').png().toBuffer()))).toEqual([
      [77, 77, 77],
    ]);
  });

  test('a palette, 16 bits and CMYK become 8 bits of sRGB', async () => {
    expect(pixels(await decoded(await plain(16, 16, RED).png({ palette: true }).toBuffer()))).toEqual([
      [200, 30, 10],
    ]);
    expect(pixels(await decoded(await plain(16, 16, RED).toColourspace('rgb16').png().toBuffer()))).toEqual([
      [200, 30, 10],
    ]);
    const cmyk = await plain(16, 16, RED).toColourspace('cmyk').jpeg().toBuffer();
    const [[red = 0, green = 0, blue = 0] = []] = pixels(await decoded(cmyk));
    expect(red).toBeGreaterThan(Math.max(green, blue) + 100);
  });

  test('transparency is put on black', async () => {
    const half = await plain(16, 16, { ...RED, alpha: 0.5 }, 4)
      .png()
      .toBuffer();
    const [[red = 0, green = 0, blue = 0] = []] = pixels(await decoded(half));
    expect([red, green, blue].map((value) => Math.round(value / 5) * 5)).toEqual([100, 15, 5]);
    expect(
      pixels(
        await decoded(
          await plain(16, 16, { ...RED, alpha: 0 }, 4)
            .png()
            .toBuffer(),
        ),
      ),
    ).toEqual([[0, 0, 0]]);
  });

  test('transparent pixels are told, but not an alpha channel that is opaque', async () => {
    const folder = await tempFolder();
    const told: string[] = [];
    for (const alpha of [1, 0.5]) {
      const bytes = await plain(16, 16, { ...RED, alpha }, 4)
        .png()
        .toBuffer();
      const path = await folder.write(`${alpha}.png`, bytes);
      await decodeImage(path, { width: 8, height: 8, onTransparent: (at) => told.push(at) });
    }
    expect(told).toEqual([folder.at('0.5.png')]);
  });

  test('the EXIF orientation is applied, before the sizes are computed', async () => {
    // Red on the left, blue on the right; orientation 6 turns it clockwise, so red comes to the top.
    const image = plain(16, 8, { r: 0, g: 0, b: 255 }).composite([
      { input: await plain(8, 8, { r: 255, g: 0, b: 0 }).png().toBuffer(), left: 0, top: 0 },
    ]);
    const turned = await image.png().withMetadata({ orientation: 6 }).toBuffer();
    const folder = await tempFolder();
    const path = await folder.write('turned.png', turned);
    const { data } = await decodeImage(path, { width: 8, height: 16 });
    expect(Array.from(data.subarray(0, 3))).toEqual([255, 0, 0]);
    expect(Array.from(data.subarray(-3))).toEqual([0, 0, 255]);
    expect(pixels(data)).toHaveLength(2);
  });

  test('the crop is the middle', async () => {
    // Columns of their own number: 12 columns cropped to 8 are those from 2 to 9, 11 those from 2 (half to the even).
    for (const [width, first] of [
      [12, 2],
      [11, 2],
      [9, 0],
    ] as const) {
      const raw = Uint8Array.from({ length: width * 8 * 3 }, (_, at) => Math.floor(at / 3) % width);
      const bytes = await sharp(raw, { raw: { width, height: 8, channels: 3 } })
        .png()
        .toBuffer();
      const row = (await decoded(bytes)).subarray(0, 24).filter((_, at) => at % 3 === 0);
      expect(Array.from(row)).toEqual(Array.from({ length: 8 }, (_, at) => first + at));
    }
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['text', new TextEncoder().encode('this is no image')],
  ])('refuses %s by its name', async (_, bytes) => {
    const folder = await tempFolder();
    const path = await folder.write('bad.jpg', bytes);
    await expect(decodeImage(path, { width: 8, height: 8 })).rejects.toThrow(
      expect.objectContaining({ code: 'bad-data', where: path, fix: expect.stringContaining('Repair') }),
    );
  });

  test.each(['jpeg', 'png', 'webp'] as const)('refuses a %s cut short, not half an image', async (format) => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * at * 31) % 251);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .toFormat(format)
      .toBuffer();
    for (const share of [0.1, 0.5, 0.9]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      await expect(decoded(cut), `${share}`).rejects.toThrow(expect.objectContaining({ code: 'bad-data' }));
    }
  });

  test('says of a file that is gone that it is gone', async () => {
    const folder = await tempFolder();
    await expect(decodeImage(folder.at('gone.png'), { width: 8, height: 8 })).rejects.toThrow(
      expect.objectContaining({ code: 'io', where: folder.at('gone.png') }),
    );
  });
});

test.each(torchvision)('torchvision makes the same of $width x $height, but for rounding', async (row) => {
  const { width, height, size, crop, pixels } = row;
  const raw = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
    const [x, y, c] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width), at % 3];
    return Math.abs(((x * 9 + y * 5 + c * 40) % 510) - 255);
  });
  const bytes = await sharp(raw, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const data = await decoded(bytes, crop, size);
  const expected = new Uint8Array(Buffer.from(pixels, 'base64'));
  const differences = expected.map((value, at) => Math.abs(value - (data[at] ?? 0)));
  const enlarged = Math.min(width, height) < size;
  expect(Math.max(...differences)).toBeLessThanOrEqual(enlarged ? 6 : 2);
});

describe('a hostile image', () => {
  /** A PNG of one pixel whose header says that it is so large. */
  async function claiming(width: number, height: number): Promise<Uint8Array> {
    const one = { width: 1, height: 1, channels: 3, background: 'red' } as const;
    const png = Uint8Array.from(await sharp({ create: one }).png().toBuffer());
    const view = new DataView(png.buffer);
    view.setUint32(16, width);
    view.setUint32(20, height);
    view.setUint32(29, crc32(png.subarray(12, 29)));
    return png;
  }

  test('of more pixels than memory is refused, and the message says so', async () => {
    const folder = await tempFolder();
    const path = await folder.write('bomb.png', await claiming(2 ** 15, 2 ** 14));
    await expect(decodeImage(path, { width: 8, height: 8 })).rejects.toThrow(
      expect.objectContaining({ code: 'bad-data', where: path, what: expect.stringMatching(/pixel limit/) }),
    );
  });

  test('that is a pipe is refused, and not waited for', async () => {
    const folder = await tempFolder();
    execFileSync('mkfifo', [folder.at('pipe.png')]);
    await expect(decodeImage(folder.at('pipe.png'), { width: 8, height: 8 })).rejects.toThrow(
      expect.objectContaining({ code: 'io', what: 'this is not a regular file' }),
    );
  });
});
