// Labelled samples from a folder of images.
import { relative, sep } from 'node:path';
import { sha256 } from '../../base/sha256.js';
import { evenly } from '../../data/images.js';
import type { LabelledDataMaker } from '../../finetune/options.js';
import { hashFiles } from '../../node/host.js';
import { imageDecoder } from '../options/image-decoder.js';
import type { ImageFlags } from '../options/image-options.js';

/** Returns the name of a file in a folder, the same on every machine and however the folder is written. */
const nameIn = (folder: string, path: string) => `/${relative(folder, path).split(sep).join('/')}`;

/** Returns a function that reads the images of a folder. The subfolders of `classesOf` number the classes. */
export function labelledImages(
  { images: folder = '', classesOf, ...flags }: ImageFlags & { readonly classesOf: string },
  signal: AbortSignal,
): LabelledDataMaker {
  return async (inputs) => {
    const { listClasses, listImages } = await import('../../node/read-images.js');
    const { imageSamples } = await import('../../data/image-samples.js');
    const found = await listImages(folder, { classes: await listClasses(classesOf) });
    const images = evenly(found.images.length, flags.limit).flatMap((index) => found.images[index] ?? []);
    const labels = images.map(({ label }) => label);
    const decode = await imageDecoder(images.map(({ path }) => path));
    const names = images.map(({ path, label }) => [nameIn(folder, path), label]);
    const files = await hashFiles(
      images.map(({ path }) => path),
      signal,
    );
    const { size, resize, mean, std, layout, channels } = flags;
    const changes = JSON.stringify({ size, resize, mean, std, layout, channels });
    const all = changes === '{}' ? files : await sha256(`${files} ${changes}`);
    const digest = await sha256(JSON.stringify([names, all]));
    return {
      source: 'images',
      name: folder,
      samples: { ...imageSamples({ labels, decode }, inputs, flags), digest: async () => all },
      targets: labels,
      digest,
    };
  };
}
