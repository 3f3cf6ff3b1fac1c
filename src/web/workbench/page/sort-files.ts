import { integer } from '../../../base/plural.js';
import { isImage } from '../../../data/class-folders.js';
import type { NamedFile, Problem } from '../protocol.js';
import { isAwaited, isOnnx } from './files.js';

/** Files that were dropped together, by what they are. */
export interface SortedFiles {
  /** A model, its external data, or nothing. */
  readonly model: readonly NamedFile[];
  readonly train: NamedFile | undefined;
  readonly test: NamedFile | undefined;
  readonly images: readonly NamedFile[];
}

/**
 * Sorts files into a model, arrays and images. Of two files of arrays, the one with "test" in its name is for the test. Beside images
 * only models and external data that is `missing` count: a folder of images often has lists and notes, too.
 */
export function sortFiles(
  files: readonly NamedFile[],
  missing: readonly string[] = [],
): SortedFiles | { readonly problem: Problem } {
  const arrays = files.filter(({ name }) => /\.np[zy]$/i.test(name));
  const images = files.filter(({ name }) => isImage(name));
  const rest = files.filter((file) => !arrays.includes(file) && !images.includes(file) && !isHidden(file));
  const model =
    images.length === 0 || rest.some(isOnnx) ? rest : rest.filter((file) => isAwaited(file, missing));
  const test = arrays.length < 2 ? undefined : arrays.find(({ name }) => /test/i.test(name));
  const [train, ...others] = arrays.filter((file) => file !== test);
  if (others.length > 0 || (train !== undefined && images.length > 0)) {
    const what =
      images.length > 0
        ? 'arrays and images came together'
        : `${integer(arrays.length)} files of arrays came together`;
    return {
      problem: {
        code: 'bad-usage',
        what,
        fix: 'Give one .npz, or train.npz and test.npz, or a folder of images',
      },
    };
  }
  return { model, train, test, images };
}

const isHidden = ({ name }: NamedFile) => /(^|\/)\./.test(name);
