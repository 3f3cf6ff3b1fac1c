import type { SwapOptions } from '../../mish/swap.js';
import type { MoveOptions } from '../../node/transform-file.js';
import type { TransformFlags } from '../io/transform.js';
import type { DataFlags } from '../options/data-options.js';
import type { ManyFlags } from '../options/many-options.js';

/** Options of the command, as parsed by commander. */
export type Flags = Omit<SwapOptions, 'plan'> &
  Pick<MoveOptions, 'externalData'> &
  TransformFlags &
  ManyFlags &
  DataFlags & {
    readonly dryRun?: boolean;
    readonly quiet?: boolean;
    readonly plan?: string;
    readonly keep?: readonly string[];
    readonly samples?: number;
    readonly report?: string;
  };
