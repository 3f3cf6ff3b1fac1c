// The samples that the page brings along: 1,000 images of Fashion-MNIST.
import { OnnxMishError } from '../../../base/error.js';
import { readNpy } from '../../../data/npy.js';
import { unzip } from '../../../data/npz.js';
import { toNumbers } from '../../../providers/tensor.js';

const FILE = new URL('../../../../models/fashion-sample.npz', import.meta.url);
const SIZE = 28;

export interface BundledSamples {
  /** Square images of one channel, from 0 to 1; `size` is the number of pixels of a side. */
  readonly images: { readonly data: Float32Array; readonly size: number };
  readonly labels: number[];
}

/** Fetches a file that the page brings along. Throws `io`. */
export async function fetchFile(url: URL): Promise<Uint8Array> {
  const response = await fetch(url);
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new OnnxMishError('io', `a file of the page cannot be loaded: ${response.status}`, {
    where: url.pathname,
    fix: 'Reload the page',
  });
}

/** Reads the bundled samples. Throws `io`. */
export async function readBundled(): Promise<BundledSamples> {
  const files = await unzip(await fetchFile(FILE), 'the bundled images');
  const numbers = async (name: string) =>
    toNumbers(await readNpy(files.get(name) ?? new Uint8Array(0), name)) ?? [];
  const data = Float32Array.from(await numbers('x'), (byte) => byte / 255);
  return { images: { data, size: SIZE }, labels: Array.from(await numbers('y')) };
}
