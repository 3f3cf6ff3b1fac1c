import { createRandom } from '../../base/random.js';
import { sharpnessMeter } from '../../metrics/curved-share.js';
import { type Tensor, toNumbers } from '../../providers/tensor.js';
import type { ChannelClass } from './channel-classes.js';
import { type ChannelSamples, channelSampler } from './channel-samples.js';

/** Values of each channel; undefined where channels cannot have scales of their own. */
export type InputSamples = ChannelSamples | undefined;

/** Returns a meter of what goes into a site. It keeps some values of each channel, if the channels may have scales of their own. */
export function inputMeter(channels: ChannelClass | undefined, seed: number) {
  const meter = sharpnessMeter();
  const sampler = channels && channelSampler(channels, createRandom(seed));
  return {
    add(tensor: Tensor | undefined) {
      const values = (tensor && toNumbers(tensor)) ?? [];
      meter.add(values);
      sampler?.add(tensor?.dims ?? [], values);
    },
    sharpness: meter.sharpness,
    samples: (): InputSamples => sampler?.samples(),
  };
}
