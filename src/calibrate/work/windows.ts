// Windows in place of large images, where the model computes the same in a window as in the whole image.

import { OnnxMishError } from '../../base/error.js';
import { createRandom } from '../../base/random.js';
import { type Feeds, firstFeeds } from '../../data/dataset.js';
import { drawRuns, type Subset } from '../../data/split.js';
import { cutWindow, type HeightWidth, type ImageAxes, imageAxes, imageSize } from '../../data/windows.js';
import type { DeclaredValue } from '../../onnx/document.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, Session, SessionOptions } from '../../providers/provider.js';
import { byteCount, type Tensors } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { windowMeter } from './window-meter.js';

/** Windows of a model's images. */
export interface Windows {
  /** Height and width of a window. */
  readonly side: number;
  readonly axes: ImageAxes;
  /** Height and width of the first image. */
  readonly image: HeightWidth;
}

/** Result of the search for windows. */
export interface FoundWindows {
  /** Undefined if images stay whole. */
  readonly windows?: Windows;
  /** Reason why large images stay whole. */
  readonly notes: readonly string[];
}

const WHOLE = 'weights are solved from whole images';
/** Number of axes of images: samples, channels, height, width. */
const IMAGE_AXES = 4;
/** Sides to try, in order. They are multiples of the factors by which networks reduce an image. */
const SIDES = [128, 256, 512, 1024] as const;
/** Minimum side of images that are cut into windows. */
const MIN_IMAGE_SIDE = 512;
/** Ratio of an image's sides to a window's, at least; smaller images stay whole. */
const MIN_SIDE_RATIO = 2;
/** Number of runs in which a window is compared with a larger part of the image. */
const COMPARED_RUNS = 2;
/** Ratio in dB from which a window counts as giving what the larger part gives. */
const MIN_SQNR = 40;
/** Limits of the runs of windows, which stay in memory. */
const MAX_BYTES = 2 ** 28;
const MIN_RUNS = 16;
const MAX_RUNS = 256;

/**
 * Finds windows that can replace the images of a data set: those in whose middle the model gives what it gives there in a part of
 * twice the side. Then no operator looks at the whole image. The model's input has to be free in height and width. Throws what the
 * provider throws, except `run-failed`.
 */
export async function findWindows(
  { document: { graph }, file }: LoadedModel,
  feeds: Feeds,
  options: OnProvider & {
    readonly session?: SessionOptions | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<FoundWindows> {
  const runs = await firstFeeds(feeds, COMPARED_RUNS);
  const [first] = runs;
  const axes = first && imageAxes(graph.inputs, first);
  const image = axes && imageSize(first, axes);
  if (axes === undefined || image === undefined) return { notes: notesOnFixed(graph.inputs, first ?? {}) };
  const sides = SIDES.filter((side) => Math.min(...image) >= Math.max(MIN_IMAGE_SIDE, MIN_SIDE_RATIO * side));
  const tried: string[] = [];
  for (const side of sides) {
    try {
      const sqnr = await withSession(file, options, (session) => compareWindows(runs, axes, side, session));
      if (sqnr !== undefined && sqnr >= MIN_SQNR) return { windows: { side, axes, image }, notes: [] };
      tried.push(
        sqnr === undefined
          ? 'its outputs do not grow with the image, or are constant'
          : `in windows of ${side} × ${side} it computes something else (${sqnr.toFixed(0)} dB)`,
      );
    } catch (error) {
      if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
      tried.push(`it does not run on windows of ${side} × ${side}`);
    }
  }
  const why = tried.at(-1);
  return {
    notes: why === undefined ? [] : [`${WHOLE}, as the model needs them: ${why}`],
  };
}

/** Returns a note if large images stay whole because the model fixes their size. */
function notesOnFixed(inputs: readonly DeclaredValue[], run: Tensors): string[] {
  for (const [name, { dims }] of Object.entries(run)) {
    const declared = inputs.find((input) => input.name === name)?.dims ?? [];
    const sides = dims.filter((dim, axis) => axis > 0 && declared[axis] === dim && dim >= MIN_IMAGE_SIDE);
    if (dims.length < IMAGE_AXES || sides.length !== 2) continue;
    return [
      `${WHOLE}: the input '${name}' has the fixed size ${sides.join(' × ')}; windows take less memory, and need a model that is exported with free height and width`,
    ];
  }
  return [];
}

/** Compares the middle of a window with the same place of a part of twice its side, in dB; undefined if that is impossible. */
async function compareWindows(
  runs: readonly Tensors[],
  axes: ImageAxes,
  side: number,
  { run }: Session,
): Promise<number | undefined> {
  const meter = windowMeter();
  for (const feeds of runs) {
    const [height, width] = imageSize(feeds, axes) ?? [0, 0];
    if (Math.min(height, width) < 2 * side) continue;
    const [top, left] = [height / 2 - side, width / 2 - side].map(Math.floor) as [number, number];
    const large = await run(cutWindow(feeds, axes, [top, left], [2 * side, 2 * side]));
    const small = await run(cutWindow(feeds, axes, [top + side / 2, left + side / 2], [side, side]));
    if (!meter.add(large, small)) return undefined;
    if ((meter.sqnr() ?? MIN_SQNR) < MIN_SQNR) break;
  }
  return meter.sqnr();
}

/** Returns a window of the first run. */
export async function firstWindow(feeds: Feeds, { side, axes }: Windows): Promise<Tensors[]> {
  const [first] = await firstFeeds(feeds, 1);
  return first === undefined ? [] : [cutWindow(first, axes, [0, 0], [side, side])];
}

/** Returns how many images have the area of one window: a share. */
export function imagesOfWindow({ side, image: [height, width] }: Windows): number {
  return side ** 2 / (height * width);
}

/**
 * Draws windows at random places of the images of a subset, and keeps them in memory. All images get equally many, at most as many
 * as their area has; smaller images get none.
 */
export async function drawWindows(
  subset: Subset,
  windows: Windows,
  { most = MAX_RUNS, seed }: { readonly most?: number | undefined; readonly seed: number },
): Promise<Subset> {
  const { side, axes } = windows;
  const [first = {}] = await firstFeeds(subset.feeds, 1);
  const bytes = byteCount(first) * imagesOfWindow(windows);
  const limit = Math.max(MIN_RUNS, Math.min(most, Math.floor(MAX_BYTES / bytes)));
  const { feeds, runs, indices } = drawRuns(subset, limit, seed);
  const each = Math.max(1, Math.floor(Math.min(limit / runs, 1 / imagesOfWindow(windows))));
  const random = createRandom(seed);
  const drawn: Tensors[] = [];
  for await (const run of feeds) {
    const [height, width] = imageSize(run, axes) ?? [0, 0];
    if (Math.min(height, width) < side) continue;
    for (let count = 0; count < each; count++) {
      const top = Math.floor(random() * (height - side + 1));
      const left = Math.floor(random() * (width - side + 1));
      drawn.push(cutWindow(run, axes, [top, left], [side, side]));
    }
  }
  return { feeds: drawn, runs: drawn.length, indices };
}
