import type { ImageSource } from '../../data/images.js';
import { sayNote } from '../text/say.js';

/** Returns a decoder of image files. Prints one note if an image has transparent pixels. */
export async function imageDecoder(paths: readonly string[]): Promise<ImageSource['decode']> {
  const { decodeImage } = await import('../../node/read-images.js');
  const examined = new Set<number>();
  let isTold = false;
  const onTransparent = (path: string) => {
    if (isTold) return;
    isTold = true;
    sayNote(
      `${path} has transparent pixels, which become black; if the model was trained on another background, put the images on it first`,
    );
  };
  return (index, box) => {
    const isNew = !isTold && !examined.has(index);
    examined.add(index);
    return decodeImage(paths[index] ?? '', isNew ? { ...box, onTransparent } : box);
  };
}
