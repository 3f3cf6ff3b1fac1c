import { InvalidArgumentError, Option } from 'commander';
import { plural } from '../../base/plural.js';

/** A part of the work, for a machine among several. */
export interface Shard {
  /** Number of the part, from 1. */
  readonly index: number;
  readonly count: number;
}

/** Names of the environment variables in which a scheduler or a build server tells a machine its part. */
interface Source {
  readonly name: string;
  readonly index: string;
  /** Variable with the number of parts; undefined if the environment has none. */
  readonly count?: string;
  /** Number of the first part, or the variable that has it. */
  readonly first: number | string;
  /** Variable with the difference between the numbers of consecutive parts; default: 1. */
  readonly step?: string;
  /** Variable with the number of the last part. */
  readonly last?: string;
}

/** Sources in the order in which `auto` asks them: schedulers first, since they may start inside a build server. */
const SOURCES: readonly Source[] = [
  {
    name: 'Slurm',
    index: 'SLURM_ARRAY_TASK_ID',
    count: 'SLURM_ARRAY_TASK_COUNT',
    first: 'SLURM_ARRAY_TASK_MIN',
    step: 'SLURM_ARRAY_TASK_STEP',
    last: 'SLURM_ARRAY_TASK_MAX',
  },
  { name: 'Kubernetes', index: 'JOB_COMPLETION_INDEX', first: 0 },
  { name: 'Cloud Run', index: 'CLOUD_RUN_TASK_INDEX', count: 'CLOUD_RUN_TASK_COUNT', first: 0 },
  { name: 'AWS Batch', index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE', first: 0 },
  { name: 'Buildkite', index: 'BUILDKITE_PARALLEL_JOB', count: 'BUILDKITE_PARALLEL_JOB_COUNT', first: 0 },
  { name: 'CircleCI', index: 'CIRCLE_NODE_INDEX', count: 'CIRCLE_NODE_TOTAL', first: 0 },
  { name: 'Azure', index: 'SYSTEM_JOBPOSITIONINPHASE', count: 'SYSTEM_TOTALJOBSINPHASE', first: 1 },
  { name: 'Semaphore', index: 'SEMAPHORE_JOB_INDEX', count: 'SEMAPHORE_JOB_COUNT', first: 1 },
  { name: 'GitLab', index: 'CI_NODE_INDEX', count: 'CI_NODE_TOTAL', first: 1 },
];

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns --shard, for a command that works on many `things`. */
export function shardOption(things: string): Option {
  return new Option(
    '--shard <i/n>',
    `only the i-th of n equal parts of the ${things}: 2/5; auto or auto/5 asks the environment`,
  ).argParser((text: string) => parseShard(text));
}

/**
 * Parses a shard: `2/5`, `auto` for the part that a scheduler or build server gives this machine, or `auto/5` where the number
 * of parts is not in the environment. Throws `InvalidArgumentError`.
 */
export function parseShard(text: string, environment: Environment = process.env): Shard {
  const [, place = '', of] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  if (place === 'auto') return automatic(of === undefined ? undefined : Number(of), environment);
  const shard = { index: Number(place), count: Number(of) };
  if (isValid(shard)) return shard;
  throw new InvalidArgumentError('Write part/parts: 1/5 to 5/5; or auto.');
}

/** Returns every `count`-th item, starting at `index`. The shards differ by at most one item. */
export function shardOf<T>(items: readonly T[], shard: Shard | undefined): T[] {
  return items.filter((_, at) => shard === undefined || at % shard.count === shard.index - 1);
}

function automatic(stated: number | undefined, environment: Environment): Shard {
  const isSet = (name: string | undefined) => name !== undefined && (environment[name] ?? '') !== '';
  const source = SOURCES.find(({ index }) => isSet(index));
  if (source === undefined) {
    // GitLab sets the total of a job that does not run in parallel, and no index.
    const total = stated ?? Number(environment.CI_NODE_TOTAL);
    if (total === 1) return { index: 1, count: 1 };
    throw new InvalidArgumentError(
      `The environment has no part of a job array (${SOURCES.map(({ index }) => index).join(', ')}). Write part/parts: 1/5.`,
    );
  }
  const { name, index, count, first, step, last } = source;
  const number = (variable: string, value = environment[variable]) => {
    if (/^\d{1,15}$/.test(value ?? '')) return Number(value);
    throw new InvalidArgumentError(`${variable} of ${name} is not a whole number: '${value}'.`);
  };
  if (stated === undefined && !isSet(count)) {
    const lacks = count === undefined ? `${name} does not tell the number of parts` : `${count} is not set`;
    throw new InvalidArgumentError(`${lacks}. Write it: auto/5.`);
  }
  const parts = stated ?? number(count ?? '');
  // With too many parts, no machine would do the last ones.
  if (typeof first === 'number' && count !== undefined && isSet(count) && number(count) !== parts) {
    throw new InvalidArgumentError(
      `${count} of ${name} is ${number(count)}, not ${parts}. Write auto, or part/parts: 1/5.`,
    );
  }
  const start = typeof first === 'number' ? first : isSet(first) ? number(first) : 1;
  const distance = step !== undefined && isSet(step) ? number(step) : 1;
  if (typeof first === 'string') {
    // An array that was started again for some parts of another one does not tell which parts these are.
    const isWhole = count === undefined || !isSet(count) || number(count) === parts;
    const hasGaps = last !== undefined && isSet(last) && number(last) !== start + (parts - 1) * distance;
    if (!isWhole || hasGaps || (start > 1 && stated === undefined)) {
      const whole = isWhole && !hasGaps ? `; or auto/${parts} if this array is the whole` : '';
      throw new InvalidArgumentError(
        `The array of ${name} may be some parts of another one, since it does not count from 0 or 1 to ${plural(parts, 'part')}. Write part/parts: 1/5${whole}.`,
      );
    }
  }
  const shard = { index: (number(index) - start) / distance + 1, count: parts };
  if (isValid(shard)) return shard;
  throw new InvalidArgumentError(
    `${index} of ${name} is ${number(index)}, which is outside of ${plural(parts, 'part')} from ${start} on.`,
  );
}

const isValid = ({ index, count }: Shard) =>
  Number.isSafeInteger(index) && Number.isSafeInteger(count) && index >= 1 && index <= count;
