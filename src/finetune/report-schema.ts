import { z } from 'zod';
import { describeIssue } from '../base/describe-issue.js';
import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { hostSchema, multiLabel, shareInterval, toolSchema } from '../validate/report-schema-measures.js';
import { MAX_UNIT_SAMPLES } from './limits.js';

/** Version of the report's format; a changed meaning or a removed field needs a new version. */
export const FINETUNE_SCHEMA = 'onnx-mish/finetune@1';

const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
const seconds = z.number().nonnegative();

/** Score of a model on a part of the data. */
export const score = z.object({
  loss: z.number().describe('Mean loss of the samples'),
  accuracy: share
    .nullable()
    .describe('Share of correct predictions, 0 to 1; null for a loss without predictions'),
  n: count
    .optional()
    .describe('Number of samples with a label that counts; absent without accuracy, and in earlier reports'),
  interval: shareInterval.describe(
    '95 % interval of the accuracy, by Wilson, clustered by sample where it has places; absent without one, and in reports of earlier versions',
  ),
  meanIou: share
    .optional()
    .describe(
      'Mean intersection over union of the classes; absent without a class for each place of a sample',
    ),
  multiLabel: multiLabel.optional(),
});

const difference = z.object({
  value: z.number().describe('Swapped minus original'),
  low: z
    .number()
    .nullable()
    .describe('Lower end of the 95 % interval; null for a loss on a single test sample, which has none'),
  high: z
    .number()
    .nullable()
    .describe('Upper end of the 95 % interval; null for a loss on a single test sample, which has none'),
});

const moved = z.object({
  weight: z.string().describe('Name of the weight'),
  change: z
    .number()
    .nonnegative()
    .nullable()
    .describe('Norm of the change divided by the norm before; null for a weight of zeros'),
});

const epoch = z.object({
  epoch: count.describe('Number of the epoch, from 1'),
  loss: z.number().describe('Mean loss of the training batches'),
  accuracy: share.nullable().describe('Share of correct predictions in the training batches'),
  validation: score.nullable().describe('Score on the validation part; null without one'),
  rate: z.number().nonnegative().describe('Learning rate of the last step'),
  seconds: seconds.describe('Duration of the epoch'),
});

const run = z.object({
  arm: z
    .enum(['swapped', 'original'])
    .describe('The swapped model, or its control: the original with its own activations'),
  seed: count.describe('Seed of the batches; both arms of a seed have the same batches'),
  before: score.nullable().describe('Score on the validation part before training; null without one'),
  epochs: z.array(epoch).describe('Epochs of the training'),
  test: score.describe('Score on the test part after training'),
  moved: z
    .array(moved)
    .describe(
      'Change of each trained weight from the start of the training, which may be repaired, the largest first',
    ),
  seconds: seconds.describe('Duration of the training'),
});

const mcnemar = z.object({
  onlySwapped: count.describe('Samples that only the swapped model classifies correctly'),
  onlyOriginal: count.describe('Samples that only the original classifies correctly'),
  exact: share.describe('Two-sided p of the exact test'),
  midP: share.describe('Two-sided mid-p'),
});

const comparison = z.object({
  measure: z
    .enum(['accuracy', 'loss'])
    .describe('What is compared: accuracy, where higher is better, or loss, where lower is better'),
  runs: z
    .array(
      z.object({
        seed: count.describe('Seed of both arms'),
        difference: difference.describe('Paired difference on the test part'),
        mcnemar: mcnemar
          .nullable()
          .describe('McNemar’s test; null for a loss, and for several predictions a sample'),
      }),
    )
    .describe('A comparison for each seed'),
  overall: difference.describe(
    'Mean difference; with several seeds, the interval covers the samples and the seeds',
  ),
  verdict: z
    .enum(['better', 'worse', 'no difference'])
    .describe('The swapped model against the original, by the overall interval'),
});

const units = z.object({
  site: z.string().describe('Label of the site'),
  count: count.describe('Number of units: channels or features'),
  before: count.describe('Units of the original whose input was never positive'),
  swapped: count.describe('The same for the swapped model after training'),
  original: count.nullable().describe('The same for the original after training; null without a control'),
});

const timeRatio = z.object({
  ratio: z.number().positive().describe('Median time of a run, swapped model over original'),
  low: z.number().describe('Lower end of the 95 % interval'),
  high: z.number().describe('Upper end of the 95 % interval'),
});

const latency = timeRatio.extend({
  exp: timeRatio
    .nullable()
    .default(null)
    .describe(
      'The same for the exp form, which computes the same function; null where the new model has that form',
    ),
});

/** Settings that fine-tunings and experiments share. */
export const trainingFields = {
  output: z.string().describe('Output that the loss is computed from'),
  loss: z.enum(['cross-entropy', 'bce', 'mse']).describe('The loss'),
  labelSmoothing: share.describe('Share of the uniform distribution in the targets'),
  optimizer: z.string().describe('The optimiser'),
  rate: z.number().positive().describe('Learning rate after the warm-up'),
  schedule: z.string().describe('Schedule of the learning rate'),
  warmUp: share.describe('Share of the steps over which the rate rises'),
  weightDecay: z.number().nonnegative().nullable().describe('Weight decay; null for the optimiser’s default'),
  epochs: count.describe('Number of epochs'),
  batch: count.describe('Samples in a step'),
  augment: z.array(z.string()).describe('Changes of the training samples at random'),
};

const settings = z.object({
  ...trainingFields,
  freeze: z
    .array(z.string())
    .describe('Patterns of the weights and running statistics that were not trained'),
  batchNorm: z.string().describe('Treatment of batch normalisation'),
  teacher: z.boolean().describe('Whether the targets were mixed with the original’s outputs'),
  patience: count
    .nullable()
    .describe(
      'Epochs without a better score on the validation part after which training stops; null where it does not',
    ),
  seeds: z.array(count).describe('Seeds, one for each repetition'),
});

/** Schema of the report of a fine-tuning. */
export const finetuneSchema = z.object({
  schema: z.literal(FINETUNE_SCHEMA).describe('Format of this report'),
  created: z.iso.datetime().describe('Date and time, UTC'),
  tool: toolSchema,
  host: hostSchema,
  model: z.string().describe('Name of the model: the name of its file'),
  to: z.string().describe('The activation that replaced the original’s'),
  form: z.string().describe('Form of the activation in ONNX operators'),
  sites: z
    .array(
      z.object({
        label: z.string().describe('Label of the site'),
        kind: z.string().describe('The original activation: relu, leakyrelu and so on'),
        beta: z.number().describe('Sharpness β; 1 is Mish'),
      }),
    )
    .describe('The swapped activations'),
  skipped: count.describe('Number of activations that were not swapped'),
  data: z
    .object({
      source: z.enum(['seed', 'npz', 'onnx-test', 'images']).describe('Origin of the samples'),
      train: count.describe('Number of training samples'),
      validation: count.describe('Number of validation samples'),
      test: count.describe('Number of test samples'),
      testFrom: z
        .enum(['data', 'file'])
        .describe('Whether the test part was split from the data or came from its own file'),
      classes: count.nullable().describe('Number of classes; null for other targets'),
    })
    .describe('The samples. The test part took part in no choice'),
  settings: settings.describe('Settings of the training'),
  start: z
    .object({
      original: score.describe('The original'),
      plain: score.describe('The plain swap'),
      repaired: score.nullable().describe('The swap with repaired weights; null where it was not repaired'),
    })
    .describe('Scores on the test part before training'),
  runs: z.array(run).describe('A training for each arm and seed'),
  units: z
    .array(units)
    .describe(
      `Units whose input was never positive on at most ${plural(MAX_UNIT_SAMPLES, 'test sample')}, for each measured site`,
    ),
  comparison: comparison.nullable().describe('The swapped model against its control; null without a control'),
  latency: latency.nullable().describe('Time of a run where the models were trained; null without a control'),
  conclusion: z.string().describe('The result in sentences'),
  notes: z.array(z.string()).describe('Remarks'),
  seconds: seconds.describe('Duration of the whole command'),
  bytesIn: count.describe('Size of the original file'),
  bytesOut: count.describe('Size of the new file'),
});

/** Report of a fine-tuning. */
export type FinetuneReport = z.infer<typeof finetuneSchema>;
/** Training of one arm with one seed. */
export type FinetuneRun = FinetuneReport['runs'][number];
/** Comparison of both arms. */
export type FinetuneComparison = z.infer<typeof comparison>;
/** Score of a model on a part of the data. */
export type Score = z.infer<typeof score>;

/** Returns whether a parsed JSON document claims to be the report of a fine-tuning. */
export function isFinetuneReport(json: unknown): boolean {
  return z.object({ schema: z.string().startsWith('onnx-mish/finetune@') }).safeParse(json).success;
}

/**
 * Checks a parsed JSON document. Throws `bad-data` with the name of the first invalid field.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseFinetuneReport } from 'onnx-mish/finetune';
 *
 * const report = parseFinetuneReport(JSON.parse(await readFile('finetune.json', 'utf8')), 'finetune.json');
 * console.log(report.conclusion);
 */
export function parseFinetuneReport(json: unknown, where = 'report'): FinetuneReport {
  const result = finetuneSchema.safeParse(json);
  if (result.success) return result.data;
  throw new OnnxMishError(
    'bad-data',
    `this is not a valid ${FINETUNE_SCHEMA}: ${describeIssue(result.error.issues)}`,
    { where, fix: 'Make one by a fine-tuning' },
  );
}

/**
 * Returns the schema as a JSON Schema document (draft 2020-12), published as onnx-mish/finetune.schema.json. The document
 * allows additional fields: a later minor version may add fields.
 *
 * @example
 * import { finetuneJsonSchema } from 'onnx-mish/finetune';
 *
 * console.log(JSON.stringify(finetuneJsonSchema(), null, 2));
 */
export function finetuneJsonSchema(): object {
  return {
    $id: FINETUNE_SCHEMA,
    title: 'onnx-mish fine-tuning report',
    ...z.toJSONSchema(finetuneSchema, { io: 'input' }),
  };
}
