import type { SiteOptions } from '../../mish/sites.js';
import type { DataFlags } from '../options/data-options.js';
import type { ManyFlags } from '../options/many-options.js';

/** Options of the command, as parsed by commander. */
export interface Flags extends SiteOptions, DataFlags, ManyFlags {
  json?: boolean;
  all?: boolean;
  samples?: number;
  report?: string;
  force?: boolean;
}
