import { z } from 'zod';
import { OnnxMishError } from '../onnx/error.js';

/** The version of the document below; a new one when a field changes its meaning or goes. */
export const REPORT_SCHEMA = 'onnx-mish/report@1';

const count = z.int().nonnegative();
const measured = z.number().nullable();
const share = z.number().min(0).max(1);

const sweep = z.object({
  form: z.string().describe('The form of Mish'),
  beta: z.number().describe('Its sharpness; 1 is Mish'),
  elemType: z.string().describe('f16, f32 or f64'),
  opset: count.describe('Opset of the one-kernel model'),
  n: count.describe('Finite points tried'),
  maxAbs: measured.describe('Largest absolute error against the float64 formula'),
  maxAbsAt: measured.describe('The x of maxAbs'),
  maxUlp: measured.describe('Largest error in units in the last place of the exact value'),
  maxUlpAt: measured.describe('The x of maxUlp'),
  broken: count.describe('Finite points at which the kernel gave NaN or an infinity'),
  atInfinity: z.string().nullable().describe('What the kernel gives for +Infinity'),
  atMinusInfinity: z
    .string()
    .nullable()
    .describe('What it gives for -Infinity: NaN in every form; the limit is -0'),
  atNaN: z.string().nullable().describe('What it gives for NaN'),
  problem: z.string().nullable().describe('Why there are no figures'),
});

const drift = z.object({
  output: z.string().describe('Name of the output'),
  n: count.describe('Elements compared'),
  maxAbs: measured.describe('Largest absolute difference'),
  meanAbs: measured.describe('Mean absolute difference'),
  rmse: measured.describe('Root of the mean squared difference'),
  cosine: measured.describe('Cosine of the angle between the two outputs'),
  sqnr: measured.describe('Signal to noise ratio in dB; null for identical outputs, whose maxAbs is 0'),
  top1: share
    .nullable()
    .describe('Share of rows whose highest class agrees; null where it is no class score'),
  top5: share.nullable().describe('Share of rows whose five highest classes agree'),
  broken: count.describe('Elements that are not finite in one of the two only'),
  problem: z.string().nullable().describe('What makes the two impossible to compare'),
});

const accuracy = z.object({ n: count, top1: share, top5: share });

const timing = z.object({
  createMs: z.number().describe('Milliseconds to create the session'),
  firstMs: z.number().describe('Milliseconds of the first run'),
  p50: z.number().describe('Median, in milliseconds'),
  p90: z.number(),
  p99: z.number(),
  mean: z.number(),
});

const latency = z.object({
  n: count.describe('Pairs of runs, original and swapped in turns'),
  original: timing,
  swapped: timing,
  ratio: z
    .object({ value: z.number(), low: z.number(), high: z.number() })
    .describe('Swapped over original by their medians, with the 95 % interval'),
});

const providerRow = z.object({
  provider: z.string().describe('The execution provider asked for'),
  status: z.enum(['ran', 'failed', 'unavailable']),
  reason: z.string().nullable().describe('Why it did not run'),
  fix: z.string().nullable().describe('What to do about it'),
  kernel: z.array(sweep).describe('The kernel of each form in use against the float64 formula'),
  drift: z.array(drift).describe('Swapped against original, both on this provider'),
  parity: z
    .object({ original: z.array(drift), swapped: z.array(drift) })
    .nullable()
    .describe('Each model on this provider against itself on the CPU; null for the CPU'),
  expected: z.array(drift).nullable().describe('The original against the outputs the test case expects'),
  accuracy: z.object({ output: z.string(), original: accuracy, swapped: accuracy }).nullable(),
  latency: latency.nullable(),
});

const model = z.object({
  name: z.string(),
  bytes: count,
  sha256: z.string(),
  opset: count,
  activations: count.describe('ReLU and LeakyReLU nodes that could be swapped'),
  mish: z.array(z.object({ form: z.string(), beta: z.number(), elemType: z.string(), count })),
});

const verdict = z.object({
  provider: z.string(),
  threshold: z.string(),
  limit: z.number(),
  value: measured.describe('The worst value; null when it could not be measured, which fails'),
  passed: z.boolean(),
});

/** What a validation found. */
export const reportSchema = z.object({
  schema: z.literal(REPORT_SCHEMA),
  created: z.iso.datetime().describe('When it was made, UTC'),
  tool: z.object({ name: z.literal('onnx-mish'), version: z.string() }),
  host: z.object({
    os: z.string(),
    arch: z.string(),
    cpu: z.string(),
    cores: count,
    memory: count.describe('Bytes'),
    node: z.string(),
    onnxruntime: z.string().describe('Version of onnxruntime-node'),
  }),
  models: z.object({ original: model, swapped: model }),
  data: z.object({
    source: z.enum(['seed', 'npz', 'onnx-test']),
    seed: count.nullable(),
    runs: count.describe('How many times each model is fed'),
    samples: count.describe('Runs times the batch size'),
    shapes: z.record(z.string(), z.array(count)).describe('Shape of each input'),
    sha256: z.string().describe('Of all feeds, in order'),
    labelled: z.boolean(),
  }),
  providers: z.array(providerRow),
  verdicts: z.array(verdict),
  passed: z.boolean().describe('Every threshold was kept'),
});

export type Report = z.infer<typeof reportSchema>;
export type ProviderRow = z.infer<typeof providerRow>;
export type ModelInfo = z.infer<typeof model>;
export type Host = z.infer<typeof reportSchema>['host'];
export type Verdict = z.infer<typeof verdict>;

/** Checks a parsed JSON document. Throws `bad-data`, naming the first field that is wrong. */
export function parseReport(json: unknown, where = 'report'): Report {
  const result = reportSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new OnnxMishError(
    'bad-data',
    `this is no ${REPORT_SCHEMA}: ${issue?.path.join('.')}: ${issue?.message}`,
    {
      where,
      fix: 'Make one with `onnx-mish validate --json`',
    },
  );
}

/** The schema as a JSON Schema document (draft 2020-12), which is published as onnx-mish/report.schema.json. */
export function reportJsonSchema(): object {
  return { $id: REPORT_SCHEMA, title: 'onnx-mish validation report', ...z.toJSONSchema(reportSchema) };
}
