import { z } from 'zod';
import { OnnxMishError } from '../base/error.js';
import {
  accuracy,
  count,
  drift,
  latency,
  layers,
  measured,
  type modelProfile,
  parting,
  placement,
  profile,
  runtime,
  sweep,
} from './report-schema-measures.js';

/** The version of the document below; a new one when a field changes its meaning or goes. */
export const REPORT_SCHEMA = 'onnx-mish/report@2';
/** The version before, in which the limit and the value of maxTop1Drop are shares. */
const BEFORE = 'onnx-mish/report@1';

/** Options of the library by their names, with values of any kind. */
const option = z.record(z.string(), z.unknown());
const noteOptions = z.record(z.string(), option);

const providerRow = z.object({
  provider: z.string().describe('The execution provider asked for'),
  status: z.enum(['ran', 'failed', 'unavailable']).describe('Whether it ran'),
  reason: z.string().nullable().describe('Why it did not run'),
  fix: z.string().nullable().describe('What to do about it'),
  option: option.optional().describe('The options that `fix` is about, by their names in the library'),
  runtime: runtime.nullable().default(null).describe('What it ran on; null where it did not run'),
  notes: z.array(z.string()).default([]).describe('What a reader of this row has to know'),
  noteOptions: noteOptions.optional().describe('The options that notes advise, by the note'),
  retargeted: z
    .string()
    .nullable()
    .default(null)
    .describe('The form that the swapped model was rewritten to in memory to run here; null for none'),
  placement: z
    .object({
      original: placement.describe('The original'),
      swapped: placement.describe('The swapped model'),
    })
    .nullable()
    .default(null)
    .describe('Where the nodes ran; null where that is not known or cannot vary'),
  parting: z
    .object({
      original: parting.describe('Of the original; null where it does not part'),
      swapped: parting.describe('Of the swapped model'),
    })
    .default({ original: null, swapped: null })
    .describe('The first site at which a model parts from itself on the CPU'),
  profile: profile.nullable().default(null).describe('Where the time goes; null unless it was asked for'),
  kernel: z
    .array(sweep)
    .describe('Each form of Mish and each original activation in use, against the float64 formula'),
  drift: z.array(drift).describe('Swapped against original, both on this provider'),
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
      output: z.string().describe('The output that is taken for class scores'),
      original: accuracy.describe('The original'),
      swapped: accuracy.describe('The swapped model'),
    })
    .nullable()
    .describe('Accuracy by the labels; null without labels'),
  latency: latency.nullable().describe('Null when it was not measured'),
});

const model = z.object({
  name: z.string().describe('What it was called: the name of its file'),
  bytes: count.describe('Length of its file, external data not counted'),
  sha256: z.string().describe('Of its file'),
  opset: count.describe('Version of ONNX’s own operators'),
  activations: count.describe('ReLU and LeakyReLU nodes that could be swapped'),
  kinds: z
    .array(
      z.object({
        kind: z.string().describe('relu, leakyrelu and so on'),
        alpha: measured.describe('The slope of LeakyReLU below 0; null for the others'),
        elemType: z.string().describe('f16, f32, f64, bf16 or unknown'),
        count: count.describe('How many there are'),
      }),
    )
    .default([])
    .describe('Those activations by kind'),
  mish: z
    .array(
      z.object({
        form: z.string().describe('How it is written'),
        beta: z.number().describe('Its sharpness; 1 is Mish'),
        alpha: measured
          .default(null)
          .describe('The slope, where it is the mixture αx + (1 - α) · mish(x); null for Mish itself'),
        elemType: z.string().describe('f16, f32, f64, bf16 or unknown'),
        count: count.describe('How many there are'),
      }),
    )
    .describe('The Mish in it, by form'),
});

const verdict = z.object({
  provider: z.string().describe('Where it was measured'),
  threshold: z
    .string()
    .describe(
      'maxAbs and so on; maxTop1Drop is in percentage points. Judged unasked: maxParity and maxOriginalParity (against the CPU), maxKernel, and maxBroken, which appears when it is not kept',
    ),
  limit: z.number().describe('What was asked for'),
  value: measured.describe(
    'The worst value; null when it could not be measured, which fails; 1.8e308 for the SQNR of identical outputs',
  ),
  passed: z.boolean().describe('Whether the limit was kept'),
  binding: z.boolean().default(true).describe('Whether it decides; false for a finding'),
});

/** What a validation found. */
export const reportSchema = z.object({
  schema: z.literal(REPORT_SCHEMA).describe('Version of this document'),
  created: z.iso.datetime().describe('When it was made, UTC'),
  tool: z
    .object({
      name: z.literal('onnx-mish').describe('Always the same'),
      version: z.string().describe('Its version'),
    })
    .describe('What made it'),
  host: z
    .object({
      os: z.string().describe('Operating system and its version'),
      arch: z.string().describe('Processor architecture'),
      cpu: z.string().describe('Processor model'),
      cores: count.describe('Logical processors'),
      memory: count.describe('Bytes'),
      node: z.string().describe('Version of Node'),
      onnxruntime: z.string().describe('Version of onnxruntime-node'),
    })
    .describe('Where it was made'),
  models: z
    .object({
      original: model.describe('Before the swap'),
      swapped: model.describe('After it'),
    })
    .describe('What was compared'),
  data: z
    .object({
      source: z
        .enum(['seed', 'npz', 'onnx-test', 'images'])
        .describe('Noise, arrays, ONNX test cases, or a folder of images'),
      seed: count.nullable().describe('Seed of the noise; null for other sources'),
      runs: count.describe('How many times each model is fed'),
      samples: count.describe('Runs times the batch size'),
      shapes: z.record(z.string(), z.array(count)).describe('Shape of each input, in the first run'),
      sha256: z.string().describe('Of all feeds, in order'),
      labelled: z.boolean().describe('Whether there were labels'),
    })
    .describe('What the models were fed'),
  providers: z.array(providerRow).describe('A row for each provider that was asked for'),
  notes: z.array(z.string()).default([]).describe('What a reader of the report has to know'),
  noteOptions: noteOptions.optional().describe('The options that notes advise, by the note'),
  layers: z.array(layers).default([]).describe('Tensors inside the models, side by side, where asked for'),
  verdicts: z.array(verdict).describe('Each threshold on each provider that is there'),
  passed: z
    .boolean()
    .describe(
      'Whether a provider ran, none failed, and every threshold was kept; an unavailable one keeps none and breaks none',
    ),
});

export type Report = z.infer<typeof reportSchema>;
export type ProviderRow = z.infer<typeof providerRow>;
export type ModelInfo = z.infer<typeof model>;
export type KernelSweep = z.infer<typeof sweep>;
export type Runtime = z.infer<typeof runtime>;
export type Placement = z.infer<typeof placement>;
export type Parting = z.infer<typeof parting>;
export type Profile = z.infer<typeof profile>;
export type ModelProfile = z.infer<typeof modelProfile>;
export type LayerComparison = z.infer<typeof layers>;
export type LayerRow = LayerComparison['rows'][number];
export type Host = z.infer<typeof reportSchema>['host'];
export type Verdict = z.infer<typeof verdict>;

/**
 * Checks a parsed JSON document; one of the version before is converted. Throws `bad-data`, naming the first field that is
 * wrong.
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
  if (old !== undefined && result.success) return inPoints(result.data);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new OnnxMishError(
    'bad-data',
    `this is no ${REPORT_SCHEMA}: ${issue?.path.join('.')}: ${issue?.message}`,
    {
      where,
      fix: 'Make one by a validation',
      option: { validate: null },
    },
  );
}

const beforeSchema = z.looseObject({ schema: z.literal(BEFORE) });

/** A report of the version before, with the drop of top-1 accuracy in points. */
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
 * The schema as a JSON Schema document (draft 2020-12), which is published as onnx-mish/report.schema.json. It
 * allows fields that it does not know, as `parseReport` does: a later minor version may add some.
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
