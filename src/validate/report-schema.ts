import { z } from 'zod';
import { describeIssue } from '../base/describe-issue.js';
import { OnnxMishError } from '../base/error.js';
import {
  accuracySchema,
  countSchema,
  divergence,
  drift,
  hostSchema,
  latency,
  layers,
  measured,
  type modelProfile,
  placement,
  profile,
  runtime,
  sweepSchema,
  toolSchema,
} from './report-schema-measures.js';

/** Version of the report's format; a changed meaning or a removed field needs a new version. */
export const REPORT_SCHEMA = 'onnx-mish/report@2';
/** The previous version, in which the limit and the value of maxTop1Drop are shares. */
const BEFORE = 'onnx-mish/report@1';

/** Options of the library by their names, with values of any kind. */
const option = z.record(z.string(), z.unknown());
const noteOptions = z.record(z.string(), option);

const providerRow = z.object({
  provider: z.string().describe('The execution provider'),
  status: z.enum(['ran', 'failed', 'unavailable']).describe('Whether the provider ran'),
  reason: z.string().nullable().describe('Why the provider did not run'),
  fix: z.string().nullable().describe('How to mend that'),
  option: option.optional().describe('The options that `fix` is about, by their names in the library'),
  runtime: runtime
    .nullable()
    .default(null)
    .describe('Runtime of the provider; null if the provider did not run'),
  notes: z.array(z.string()).default([]).describe('Remarks on this row'),
  noteOptions: noteOptions.optional().describe('The options that notes advise, by the note'),
  retargeted: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'Form of Mish that the provider needs, to which the swapped model was rewritten in memory; null for none',
    ),
  placement: z
    .object({
      original: placement.describe('The original'),
      swapped: placement.describe('The swapped model'),
    })
    .nullable()
    .default(null)
    .describe('Execution providers of the nodes; null if unknown or fixed'),
  parting: z
    .object({
      original: divergence.describe('First tensor of the original; null if none differs'),
      swapped: divergence.describe('First tensor of the swapped model; null if none differs'),
    })
    .default({ original: null, swapped: null })
    .describe('The first tensor of each model that differs from the same tensor on the CPU'),
  profile: profile
    .nullable()
    .default(null)
    .describe('Time by operator and by site; null unless profiling was requested'),
  kernel: z
    .array(sweepSchema)
    .describe(
      'Errors of each kernel in use, of Mish and of the original activations, against the float64 formula',
    ),
  drift: z.array(drift).describe('The swapped model’s outputs against the original’s, both on this provider'),
  parity: z
    .object({
      original: z.array(drift).describe('The original here against the original on the CPU'),
      swapped: z.array(drift).describe('The swapped model here against the swapped model on the CPU'),
    })
    .nullable()
    .describe('Each model on this provider against itself on the CPU; null for the CPU'),
  expected: z.array(drift).nullable().describe('The original against the outputs the test case expects'),
  accuracy: z
    .object({
      output: z.string().describe('The output that is read as class scores'),
      threshold: z
        .number()
        .nullable()
        .optional()
        .describe(
          'The score above which a sample or a place counts as class 1, for an output with one score for each; absent in reports of earlier versions',
        ),
      original: accuracySchema.describe('The original'),
      swapped: accuracySchema.describe('The swapped model'),
      difference: z
        .object({
          value: z.number().describe('The difference, as a share'),
          low: z.number().describe('Lower end of the 95 % interval'),
          high: z.number().describe('Upper end of the 95 % interval'),
          midP: z
            .number()
            .min(0)
            .max(1)
            .nullable()
            .describe(
              'McNemar’s two-sided mid-p; null for labels of places, where a sample can be right in part',
            ),
        })
        .optional()
        .describe(
          'Top-1 accuracy of the swapped model minus the original’s, paired by sample: places of a sample are not independent; absent in reports of earlier versions',
        ),
    })
    .nullable()
    .describe('Accuracy of both models by the labels; null without labels'),
  latency: latency.nullable().describe('Latency of both models; null if not measured'),
});

const model = z.object({
  name: z.string().describe('Name of the model: the name of its file'),
  bytes: countSchema.describe('Size of the file in bytes, without external data'),
  sha256: z.string().describe('SHA-256 of the file'),
  opset: countSchema.describe('Opset of the ONNX operators'),
  activations: countSchema.describe('Number of ReLU and LeakyReLU nodes that can be swapped'),
  kinds: z
    .array(
      z.object({
        kind: z.string().describe('relu, leakyrelu and so on'),
        alpha: measured.describe('The slope of LeakyReLU below 0; null for the others'),
        elemType: z.string().describe('f16, f32, f64, bf16 or unknown'),
        count: countSchema.describe('Number of nodes'),
      }),
    )
    .default([])
    .describe('Those activations by kind'),
  activationCounts: z
    .record(z.string(), countSchema)
    .optional()
    .describe(
      'Number of activations of each kind, known to swap or not; absent in reports of earlier versions',
    ),
  mish: z
    .array(
      z.object({
        form: z.string().describe('Form: how Mish is written in ONNX operators'),
        beta: z.number().describe('Sharpness β; 1 is Mish'),
        alpha: measured
          .default(null)
          .describe('Slope α of the mixture αx + (1 - α) · mish(x); null for Mish itself'),
        elemType: z.string().describe('f16, f32, f64, bf16 or unknown'),
        count: countSchema.describe('Number of subgraphs'),
      }),
    )
    .describe('Mish subgraphs of the model, by form'),
});

const verdict = z.object({
  provider: z.string().describe('The execution provider'),
  threshold: z
    .string()
    .describe(
      'Name of the limit, such as maxAbs; maxTop1Drop is in percentage points. Always checked: maxParity and maxOriginalParity (against the CPU), maxKernelError, and maxBroken, which appears only when it fails',
    ),
  limit: z.number().describe('The limit'),
  value: measured.describe(
    'The worst value; null if it could not be measured, which fails; 1.8e308 for the SQNR of identical outputs',
  ),
  passed: z.boolean().describe('Whether the value is within the limit'),
  binding: z.boolean().default(true).describe('Whether a failure fails the validation; false for a remark'),
  requested: z
    .boolean()
    .optional()
    .describe('Whether a user set the limit; absent in reports of earlier versions'),
});

/** Schema of a validation report. */
export const reportSchema = z.object({
  schema: z.literal(REPORT_SCHEMA).describe('Version of this document'),
  created: z.iso.datetime().describe('Date and time of the validation, UTC'),
  tool: toolSchema,
  host: hostSchema,
  models: z
    .object({
      original: model.describe('The model before the swap'),
      swapped: model.describe('After it'),
    })
    .describe('The compared models'),
  data: z
    .object({
      source: z
        .enum(['seed', 'npz', 'onnx-test', 'images'])
        .describe('Noise, arrays, ONNX test cases, or a folder of images'),
      seed: countSchema.nullable().describe('Seed of the noise; null for other sources'),
      runs: countSchema.describe('Number of runs of each model'),
      samples: countSchema.describe('Number of samples in all runs'),
      shapes: z.record(z.string(), z.array(countSchema)).describe('Shape of each input, in the first run'),
      sha256: z.string().describe('SHA-256 of all feeds, in order'),
      labelled: z.boolean().describe('Whether there were labels'),
    })
    .describe('The input data'),
  providers: z.array(providerRow).describe('A row for each requested provider'),
  notes: z.array(z.string()).default([]).describe('Remarks on the report'),
  noteOptions: noteOptions.optional().describe('The options that notes advise, by the note'),
  layers: z.array(layers).default([]).describe('Comparisons of inner tensors; empty unless requested'),
  verdicts: z.array(verdict).describe('A verdict for each threshold on each available provider'),
  conclusion: z
    .string()
    .optional()
    .describe('The result as a sentence; absent in reports of earlier versions'),
  passed: z
    .boolean()
    .describe(
      'Whether a provider ran, no provider failed, and every binding verdict passed; unavailable providers do not count',
    ),
});

export type Report = z.infer<typeof reportSchema>;
export type ProviderRow = z.infer<typeof providerRow>;
export type ModelInfo = z.infer<typeof model>;
export type KernelSweep = z.infer<typeof sweepSchema>;
export type PlacementRow = z.infer<typeof placement>;
export type Divergence = z.infer<typeof divergence>;
export type Profile = z.infer<typeof profile>;
export type ModelProfile = z.infer<typeof modelProfile>;
export type LayerComparison = z.infer<typeof layers>;
export type LayerRow = LayerComparison['rows'][number];
export type Host = z.infer<typeof reportSchema>['host'];
export type Verdict = z.infer<typeof verdict>;

/**
 * Checks a parsed JSON document, and converts a report of the previous version. Throws `bad-data` with the name of the
 * first invalid field.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseReport } from 'onnx-mish/validate';
 *
 * const report = parseReport(JSON.parse(await readFile('report.json', 'utf8')), 'report.json');
 * console.log(report.passed);
 */
export function parseReport(json: unknown, where = 'report'): Report {
  const old = beforeSchema.safeParse(json).data;
  const result = reportSchema.safeParse(old === undefined ? json : { ...old, schema: REPORT_SCHEMA });
  if (result.success) return withOneName(old === undefined ? result.data : inPoints(result.data));
  throw new OnnxMishError(
    'bad-data',
    `this is not a valid ${REPORT_SCHEMA}: ${describeIssue(result.error.issues)}`,
    {
      where,
      fix: 'Make one by a validation',
      option: { validate: null },
    },
  );
}

/** Returns whether a JSON document claims to be a report of a validation. */
export function isReport(json: unknown): boolean {
  return z.object({ schema: z.string().startsWith('onnx-mish/report@') }).safeParse(json).success;
}

const beforeSchema = z.looseObject({ schema: z.literal(BEFORE) });

/** Earlier name of the limit of a kernel's error that is always checked. */
const EARLIER_KERNEL_LIMIT = 'maxKernel';

/** Gives the limit of a kernel's error its one name. Earlier versions had another for the limit that is always checked. */
function withOneName(report: Report): Report {
  const verdicts = report.verdicts.map((verdict) =>
    verdict.threshold === EARLIER_KERNEL_LIMIT
      ? { ...verdict, threshold: 'maxKernelError', requested: false }
      : verdict,
  );
  return { ...report, verdicts };
}

/** Converts a report of the previous version: the drop of top-1 accuracy from a share to percentage points. */
function inPoints(report: Report): Report {
  const points = (share: number) => Number((100 * share).toPrecision(12));
  const verdicts = report.verdicts.map((verdict) => {
    const { threshold, limit, value } = verdict;
    if (threshold !== 'maxTop1Drop') return verdict;
    return { ...verdict, limit: points(limit), value: value === null ? null : points(value) };
  });
  return { ...report, verdicts };
}

/**
 * Returns the schema as a JSON Schema document (draft 2020-12), published as onnx-mish/report.schema.json. The document
 * allows additional fields, as `parseReport` does: a later minor version may add fields.
 *
 * @example
 * import { reportJsonSchema } from 'onnx-mish/validate';
 *
 * console.log(JSON.stringify(reportJsonSchema(), null, 2));
 */
export function reportJsonSchema(): object {
  const schema = z.toJSONSchema(reportSchema, { io: 'input' });
  return { $id: REPORT_SCHEMA, title: 'onnx-mish validation report', ...schema };
}
