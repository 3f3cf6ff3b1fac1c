import type { Command } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { PROVIDERS } from '../../providers/provider.js';
import { WEB_PROVIDERS } from '../../providers/web-providers.js';
import { flagOf } from './flag-of.js';
import { isNoise } from './noise.js';
import { isSwapped } from './patterns.js';

type Flags = Readonly<Record<string, unknown>>;

/** Options that have no effect beside other options, or without them. */
interface IdleOptions {
  readonly command: string;
  /** Names of the options in camel case. */
  readonly options: readonly string[];
  readonly isIdle: (flags: Flags, args: readonly string[]) => boolean;
  /** The rest of the sentence “--option has no effect …”. */
  readonly why: string;
}

const WEB: readonly string[] = WEB_PROVIDERS;
/** Providers of onnxruntime-node. */
const NODE = PROVIDERS.filter((name) => !WEB.includes(name));
const hasNoLabels = ({ labels, images }: Flags) => labels === undefined && images === undefined;
const hasNo =
  (...names: readonly string[]) =>
  ({ providers = [] }: Flags) =>
    !(providers as readonly string[]).some((name) => names.includes(name));

export const IDLE_OPTIONS: readonly IdleOptions[] = [
  ...['rank', 'calibrate', 'validate', 'swap', 'inspect'].map((command) => ({
    command,
    options: ['ignoreLabel'],
    isIdle: hasNoLabels,
    why: 'without labels',
  })),
  {
    command: 'inspect',
    options: ['seed'],
    why: 'without samples',
    isIdle: ({ data, images }) => data === undefined && images === undefined,
  },
  ...['swap', 'calibrate'].map((command) => ({
    command,
    options: ['fold'],
    why: 'without a --beta other than 1',
    isIdle: ({ beta = 1, plan }: Flags) => beta === 1 && plan === undefined,
  })),
  {
    command: 'doctor',
    options: ['yes'],
    isIdle: ({ install }) => install === undefined,
    why: 'without --install',
  },
  {
    command: 'doctor',
    options: ['browser'],
    why: 'with --install',
    isIdle: ({ install }) => install !== undefined,
  },
  { command: 'swap', options: ['seed'], isIdle: ({ keep }) => keep === undefined, why: 'without --keep' },
  {
    command: 'validate',
    options: ['seed'],
    why: 'on samples, since it makes random inputs',
    isIdle: (flags) => !isNoise(flags),
  },
  {
    command: 'validate',
    options: ['form', 'target', 'beta'],
    why: 'where the swapped model is given',
    isIdle: ({ swappedDir }, [, swapped]) => isSwapped(swapped) || swappedDir !== undefined,
  },
  {
    command: 'validate',
    options: ['swappedDir', 'shard', 'failFast'],
    isIdle: (_, [, swapped]) => isSwapped(swapped),
    why: 'where the swapped model is given',
  },
  {
    command: 'ui',
    options: ['port', 'host', 'allowOutsideData'],
    why: 'with --export',
    isIdle: (flags) => flags.export !== undefined,
  },
  {
    command: 'validate',
    options: ['pairs', 'seconds'],
    why: 'with --no-latency',
    isIdle: ({ latency }) => latency === false,
  },
  {
    command: 'validate',
    options: ['browser', 'timeout'],
    why: 'without a provider in a browser',
    isIdle: hasNo(...WEB),
  },
  {
    command: 'validate',
    options: ['deviceId'],
    why: 'without cuda, tensorrt or dml',
    isIdle: hasNo('cuda', 'tensorrt', 'dml'),
  },
  {
    command: 'validate',
    options: ['allowFallback'],
    why: 'without a GPU provider of onnxruntime-node',
    isIdle: hasNo(...NODE.filter((name) => name !== 'cpu')),
  },
  {
    command: 'validate',
    options: ['profile'],
    why: 'without a provider of onnxruntime-node',
    isIdle: hasNo(...NODE),
  },
  {
    command: 'experiment',
    options: ['span'],
    why: 'with --no-landscape',
    isIdle: ({ landscape }) => landscape === false,
  },
  {
    command: 'finetune',
    options: ['patience'],
    why: 'with --validation 0',
    isIdle: ({ validation }) => validation === 0,
  },
];

/** Throws `bad-usage` for an option of the command line that has no effect. Those of a configuration are for other runs, too. */
export function refuseIdleOptions(command: Command): void {
  const flags = command.opts();
  for (const { command: name, options, isIdle, why } of IDLE_OPTIONS) {
    if (name !== command.name() || !isIdle(flags, command.args)) continue;
    const given = options.find((option) => command.getOptionValueSource(option) === 'cli');
    if (given === undefined) continue;
    throw new OnnxMishError('bad-usage', `${flagOf(command, given)} has no effect ${why}`, {
      fix: 'Leave it out',
    });
  }
}
