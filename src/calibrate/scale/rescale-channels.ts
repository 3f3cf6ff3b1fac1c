import { MAX_CURVED_INPUT, type SharpActivation } from '../../metrics/curved-share.js';
import { ACTIVATIONS } from '../../mish/activations.js';
import { leakyRelu } from '../../mish/reference.js';
import { inputOf, type Site } from '../../mish/sites.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { type Edit, splice } from '../../onnx/splice.js';
import { readWeight, type Weight, weightEdit } from '../../onnx/weights.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import {
  type ChannelClass,
  type ChannelClasses,
  type ChannelWeight,
  findChannelClasses,
} from './channel-classes.js';
import type { ChannelSamples } from './channel-samples.js';
import { factorsAt } from './channel-spans.js';
import { chooseChannels } from './choose-channels.js';
import { computesSame, type SameOutputsOptions } from './computes-same.js';

/** A site that is swapped, with samples of its input. */
export interface SampledSite {
  readonly site: Site;
  /** Slope of a mixture; undefined for an activation itself. */
  readonly leak: number | undefined;
  /** Samples of its input in the given model; undefined if the input was not measured. */
  readonly samples: ChannelSamples | undefined;
  /** Sharpness that the weights have taken. */
  readonly beta: number;
}

export interface RescaleChannelsOptions extends SameOutputsOptions {
  /** All activations of the main graph that preserve a scale. */
  readonly homogeneous: readonly Site[];
  readonly sites: readonly SampledSite[];
  readonly activation: SharpActivation;
  /** Number of training samples: a dense layer has as many rows to be solved from. */
  readonly rows: number;
}

/**
 * Gives the channels of sites scales of their own, in the weights before and after, where that leaves less error after linear layers.
 * Returns the new model and the scales of the sites that have some. The model computes the same; if a run on the first feed says
 * otherwise, it stays as it was. Throws as `readWeight` does, and what the provider throws.
 */
export async function rescaleChannels(
  model: EditableModel,
  options: RescaleChannelsOptions,
): Promise<{ readonly model: EditableModel; readonly scales: ReadonlyMap<Site, Float64Array> }> {
  const { document, openData } = model;
  const classes = await findChannelClasses(document, indexGraphs(document), options.homogeneous);
  const scales = new Map<number, Float64Array>();
  const read = new Map<Weight['tensor'], Float64Array>();
  const valuesOf: ReadValues = async (weight) => {
    const values = read.get(weight.tensor) ?? (await readWeight(document, weight, openData));
    read.set(weight.tensor, values);
    return values;
  };
  for (const [channelClass, sites] of sitesByClass(options.sites, classes)) {
    const around = classes.weights.filter(({ up, down }) =>
      [...up, ...down].some(({ number }) => number === channelClass.number),
    );
    if (!around.every(({ weight }) => weight.type === 'f32' || weight.type === 'f64')) continue;
    const chosen = await scalesFor(channelClass, sites, around, valuesOf, options);
    if (chosen !== undefined) scales.set(channelClass.number, chosen);
  }
  if (scales.size === 0) return { model, scales: new Map() };
  const edits = await channelEdits(document, classes, scales, valuesOf);
  const edited = await model.edited(splice(document.source, edits));
  if (!(await computesSame(model, edited, options))) return { model, scales: new Map() };
  const found = options.homogeneous.flatMap((site) => {
    const own = scales.get(classes.classOf(inputOf(site))?.number ?? -1);
    return own === undefined ? [] : [[site, own] as const];
  });
  return { model: edited, scales: new Map(found) };
}

type ReadValues = (weight: Weight) => Promise<Float64Array>;

/** Returns the edits of all weights around classes whose channels get these scales. */
export async function channelEdits(
  document: OnnxDocument,
  { weights }: ChannelClasses,
  scales: ReadonlyMap<number, Float64Array>,
  valuesOf: ReadValues,
): Promise<Edit[]> {
  const edits: Edit[] = [];
  for (const { weight, up, down, places } of weights) {
    const above = factorsAt(scales, up, places.up);
    const below = factorsAt(scales, down, places.down);
    if (above === undefined && below === undefined) continue;
    const scaled = (await valuesOf(weight)).map(
      (value, place) => (value * (above?.(place) ?? 1)) / (below?.(place) ?? 1),
    );
    edits.push(await weightEdit(document, weight, scaled));
  }
  return edits;
}

/** Groups the sites whose channels may have scales. A class with a site that was not measured is left out. */
function sitesByClass(
  sites: readonly SampledSite[],
  classes: ChannelClasses,
): Map<ChannelClass, SampledSite[]> {
  const byNumber = new Map<number, { channelClass: ChannelClass; sites: SampledSite[] }>();
  for (const sampled of sites) {
    const channelClass = classes.classOf(inputOf(sampled.site));
    if (channelClass === undefined) continue;
    const known = byNumber.get(channelClass.number);
    if (known === undefined) byNumber.set(channelClass.number, { channelClass, sites: [sampled] });
    else known.sites.push(sampled);
  }
  const whole = [...byNumber.values()].filter(({ channelClass, sites: all }) =>
    all.every(
      ({ samples }) => samples !== undefined && samples.values.length === channelClass.size * samples.count,
    ),
  );
  return new Map(whole.map(({ channelClass, sites: all }) => [channelClass, all]));
}

async function scalesFor(
  { number, size }: ChannelClass,
  sites: readonly SampledSite[],
  around: readonly ChannelWeight[],
  valuesOf: ReadValues,
  { activation, rows }: RescaleChannelsOptions,
): Promise<Float64Array | undefined> {
  const [gains, fixedGains] = [new Float64Array(size), new Float64Array(size)];
  const all = sites.map(({ site, leak, samples, beta }) => {
    const slope = typeof site.alpha === 'number' ? site.alpha : 0;
    const { values, count } = samples as ChannelSamples;
    return {
      samples: { values: values.map((value) => beta * value), count },
      from: (x: number) => leakyRelu(x, slope),
      to: (x: number) => ACTIVATIONS[activation].f(x, { beta: 1, leak }),
      maxCurved: MAX_CURVED_INPUT[activation],
    };
  });
  const [first] = all;
  if (first === undefined) return undefined;
  // The first site stands for the class: the variances only weigh layers.
  const variances = channelVariances(first.samples, size, first.from);
  for (const { weight, down, places } of around) {
    if (places.down === undefined || down.every((span) => span.number !== number)) continue;
    const squares = new Float64Array(size);
    const { size: read, of } = places.down;
    const channels = down.flatMap((span) =>
      Array.from({ length: span.size }, (_, at) => (span.number === number ? at : -1)),
    );
    for (const [place, value] of (await valuesOf(weight)).entries()) {
      const channel = channels[Math.floor((of(place) * channels.length) / read)] ?? -1;
      if (channel >= 0) squares[channel] = (squares[channel] as number) + value * value;
    }
    // Each layer counts by the share of its outputs' variance.
    const total = squares.reduce((sum, square, channel) => sum + square * (variances[channel] as number), 0);
    if (!(total > 0)) continue;
    const free = freeShare(weight, read, rows);
    for (let at = 0; at < size; at++) {
      const gain = (squares[at] as number) / total;
      gains[at] = (gains[at] as number) + free * gain;
      fixedGains[at] = (fixedGains[at] as number) + (1 - free) * gain;
    }
  }
  const least = 1 / Math.min(...sites.map(({ beta }) => beta));
  return chooseChannels({ sites: all, gains, fixedGains, least });
}

/** Returns the share of a layer's error that least squares can undo where it is affine: rows against inputs of a dense layer. */
function freeShare({ tensor: { dims } }: Weight, inputs: number, rows: number): number {
  return dims.length === 2 ? rows / (rows + inputs) : 1; // each position of an image is a row
}

/** Returns the variance of each channel after an activation. */
function channelVariances(
  { values, count }: ChannelSamples,
  size: number,
  f: (x: number) => number,
): Float64Array {
  return Float64Array.from({ length: size }, (_, channel) => {
    let [sum, squares] = [0, 0];
    for (let at = channel * count; at < (channel + 1) * count; at++) {
      const value = f(values[at] as number);
      sum += value;
      squares += value * value;
    }
    return Math.max(0, squares / count - (sum / count) ** 2);
  });
}
