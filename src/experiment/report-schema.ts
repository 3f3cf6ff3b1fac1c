import { z } from 'zod';
import { describeIssue } from '../base/describe-issue.js';
import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import { score, trainingFields } from '../finetune/report-schema.js';
import { hostSchema, toolSchema } from '../validate/report-schema-measures.js';

/** Version of the report's format; a changed meaning or a removed field needs a new version. */
export const EXPERIMENT_SCHEMA = 'onnx-mish/experiment@1';

const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
const seconds = z.number().nonnegative();
const activation = z.string().describe('Name of the activation: relu, leakyrelu, swish, mish and so on');
const seed = count.describe(
  'Seed of the initial weights and of the batches; all activations of a seed share them',
);

const epoch = z.object({
  epoch: count.describe('Number of the epoch, from 1'),
  loss: z.number().describe('Mean loss of the training batches'),
  accuracy: share.nullable().describe('Share of correct predictions in the training batches'),
  test: score.nullable().describe('Score on some of the test samples (data.curve)'),
  rate: z.number().nonnegative().describe('Learning rate of the last step'),
  seconds: seconds.describe('Duration of the epoch’s steps'),
});

const landscape = z.object({
  span: z.number().positive().describe('Distance from the trained weights to the edge, in filter norms'),
  points: count.describe('Number of points along each direction'),
  losses: z
    .array(z.number().nullable())
    .describe('Loss at each point, row by row: points × points numbers; null for a loss that is not finite'),
  roughness: z
    .number()
    .nullable()
    .describe(
      'Share of the ups and downs of the logarithms, along rows and columns, that a single valley would not have; null if too few losses are finite',
    ),
  images: count.describe('Number of test samples that each loss is computed from'),
});

const derivative = z.object({
  samples: count.describe('Number of test samples'),
  x: z.array(z.number()).describe('Centre of each bin of site inputs'),
  share: z.array(share).describe('Share of all site inputs in each bin'),
  below: share.describe('Share of all site inputs below the first bin'),
  above: share.describe('Share of all site inputs above the last bin'),
  derivative: z.array(z.number()).describe('First derivative of the activation at each centre'),
});

const units = z.object({
  count: count.describe('Number of units: channels or features of all sites'),
  neverPositive: count.describe(
    `Units whose input was never positive on at most ${plural(MAX_UNIT_SAMPLES, 'test sample')}`,
  ),
});

const run = z.object({
  activation,
  seed,
  epochs: z.array(epoch).describe('The finished epochs'),
  test: score.nullable().describe('Score on the test part after the last epoch; null for a diverged run'),
  diverged: z.string().nullable().describe('Reason why the training stopped early; null for a finished one'),
  units: units.nullable().describe('Units that are never positive; null where they were not measured'),
  seconds: seconds.describe('Duration of the training'),
  landscape: landscape
    .optional()
    .describe('Loss around the trained weights, along two random directions that all activations share'),
  derivative: derivative.optional().describe('First derivative of the activation over its inputs'),
});

const spread = z.object({
  mean: z.number().describe('Mean over the finished runs'),
  deviation: z
    .number()
    .nonnegative()
    .nullable()
    .describe('Standard deviation over the finished runs (n − 1); null for one run'),
});

const difference = z.object({
  value: z.number().describe('Mean of the paired differences: this activation minus the baseline'),
  low: z
    .number()
    .nullable()
    .describe(
      'Lower end of the 95 % interval (Student’s t); null for one seed, and where all seeds have the same difference',
    ),
  high: z
    .number()
    .nullable()
    .describe(
      'Upper end of the 95 % interval (Student’s t); null for one seed, and where all seeds have the same difference',
    ),
  seeds: count.describe('Number of seeds in which both activations finished'),
});

const result = z.object({
  activation,
  runs: count.describe('Number of finished runs'),
  diverged: count.describe('Number of diverged runs'),
  accuracy: spread
    .nullable()
    .describe('Accuracy on the test part; null without finished runs or predictions'),
  loss: spread.nullable().describe('Loss on the test part; null without finished runs'),
  difference: difference
    .nullable()
    .describe(
      'Difference from the baseline in accuracy, else in loss; null for the baseline and without pairs',
    ),
  neverPositive: share.nullable().describe('Share of units that are never positive; null where not measured'),
  epochSeconds: seconds.nullable().describe('Mean duration of an epoch’s steps; null without epochs'),
  roughness: z.number().nullable().describe('Roughness of the loss landscape; null without one'),
});

const settings = z.object({
  activations: z.array(z.string()).describe('All activations of the experiment'),
  seeds: z.array(count).describe('All seeds of the experiment'),
  ...trainingFields,
  batchNorm: z
    .enum(['train', 'insert'])
    .describe('train: as the model has it; insert: put behind convolutions without one'),
});

export const experimentSchema = z.object({
  schema: z.literal(EXPERIMENT_SCHEMA).describe('Format of this document'),
  created: z.iso.datetime().describe('Time of the report, UTC'),
  tool: toolSchema,
  hosts: z.array(hostSchema).describe('The machines of the runs'),
  digest: z
    .string()
    .describe(
      'SHA-256 of all that decides the result: model, data and settings. Reports merge if it is equal',
    ),
  shard: z
    .object({
      index: count.describe('Number of the part, from 1'),
      count: count.describe('Number of parts'),
    })
    .nullable()
    .describe('The part of the runs that this report was made for; null for all'),
  model: z.string().describe('Name of the model: the name of its file'),
  sites: z.array(z.string()).describe('Labels of the exchanged activations'),
  kept: z
    .array(
      z.object({
        label: z.string().describe('Label of the activation'),
        why: z.string().describe('Reason'),
      }),
    )
    .describe('Activations that stay as they are in all runs'),
  data: z
    .object({
      source: z.enum(['seed', 'npz', 'onnx-test', 'images']).describe('Origin of the samples'),
      train: count.describe('Number of training samples'),
      test: count.describe('Number of test samples'),
      testFrom: z
        .enum(['data', 'file'])
        .describe('Whether the test part was split from the data or came from its own file'),
      curve: count.describe('Number of test samples that are scored after each epoch'),
      classes: count.nullable().describe('Number of classes; null for other targets'),
    })
    .describe('The samples. The test part took part in no choice'),
  settings: settings.describe('Settings of the trainings'),
  initial: z
    .object({
      rule: z.string().describe('Rule of the initial weights'),
      gains: z
        .array(z.object({ activation, gain: z.number().positive().describe('Gain 1 / √E[f(z)²]') }))
        .describe('Gain of each activation'),
      weights: count.describe('Number of weight tensors that were initialised anew'),
      kept: z.array(z.string()).describe('Weights that are not trained and keep the values of the model'),
    })
    .describe('Initial weights'),
  runs: z.array(run).describe('The finished and diverged runs, by seed and activation'),
  missing: z
    .array(z.object({ activation, seed }))
    .describe('Runs of the experiment that are not in this report'),
  baseline: z.string().describe('The activation that the others are compared with'),
  results: z.array(result).describe('Results of each activation over its runs'),
  conclusion: z.string().describe('The result in sentences'),
  warnings: z.array(z.string()).describe('Warnings that belong on top of the report'),
  remarks: z.array(z.string()).describe('Remarks on the training copy of the model'),
  notes: z.array(z.string()).describe('Remarks on how far the results can be trusted'),
  seconds: seconds.describe('Duration of all runs together'),
});

/** Report of an experiment. */
export type ExperimentReport = z.infer<typeof experimentSchema>;
/** Training of an activation with a seed. */
export type ExperimentRun = ExperimentReport['runs'][number];
/** Result of an activation over its runs. */
export type ExperimentResult = ExperimentReport['results'][number];
/** Loss around trained weights. */
export type Landscape = z.infer<typeof landscape>;
/** Derivative of an activation over its inputs. */
export type Derivative = z.infer<typeof derivative>;

/** Returns whether a parsed JSON document claims to be the report of an experiment. */
export function isExperimentReport(json: unknown): boolean {
  return z.object({ schema: z.string().startsWith('onnx-mish/experiment@') }).safeParse(json).success;
}

/**
 * Checks a parsed JSON document. Throws `bad-data` with the name of the first invalid field.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseExperimentReport } from 'onnx-mish/experiment';
 *
 * const text = await readFile('experiment.json', 'utf8');
 * console.log(parseExperimentReport(JSON.parse(text), 'experiment.json').conclusion);
 */
export function parseExperimentReport(json: unknown, where = 'report'): ExperimentReport {
  const result = experimentSchema.safeParse(json);
  if (result.success) return result.data;
  throw new OnnxMishError(
    'bad-data',
    `this is not a valid ${EXPERIMENT_SCHEMA}: ${describeIssue(result.error.issues)}`,
    { where, fix: 'Make one with an experiment' },
  );
}

/**
 * Returns the schema as a JSON Schema document (draft 2020-12), published as onnx-mish/experiment.schema.json. The document
 * allows additional fields: a later minor version may add fields.
 *
 * @example
 * import { experimentJsonSchema } from 'onnx-mish/experiment';
 *
 * console.log(JSON.stringify(experimentJsonSchema(), null, 2));
 */
export function experimentJsonSchema(): object {
  return {
    $id: EXPERIMENT_SCHEMA,
    title: 'onnx-mish experiment report',
    ...z.toJSONSchema(experimentSchema, { io: 'input' }),
  };
}
