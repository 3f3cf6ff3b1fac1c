import { z } from 'zod';
import { OnnxMishError } from '../onnx/error.js';

/** The version of the document below; a new one when a field changes its meaning or goes. */
export const REPORT_SCHEMA = 'onnx-mish/report@1';

const count = z.int().nonnegative();
const measured = z.number().nullable();
const share = z.number().min(0).max(1);

const sweep = z.object({
  kind: z.enum(['mish', 'relu', 'leakyrelu']).default('mish').describe('The function'),
  form: z.string().nullable().describe('The form of Mish; null for the original activations'),
  beta: z.number().nullable().describe('The sharpness of Mish; 1 is Mish itself'),
  alpha: measured.default(null).describe('The slope of LeakyReLU below 0'),
  elemType: z.string().describe('f16, f32 or f64'),
  opset: count.describe('Opset of the one-kernel model'),
  n: count.describe('Finite points tried'),
  maxAbs: measured.describe('Largest absolute error against the float64 formula'),
  maxAbsAt: measured.describe('The x of maxAbs'),
  maxUlp: measured.describe('Largest error in units in the last place of the exact value'),
  maxUlpAt: measured.describe('The x of maxUlp'),
  maxScaled: measured
    .default(null)
    .describe('Largest error divided by the larger of 1 and the exact value, which the verdict goes by'),
  broken: count.describe('Finite points at which the kernel gave NaN or an infinity'),
  atInfinity: z.string().nullable().describe('What the kernel gives for +Infinity'),
  atMinusInfinity: z
    .string()
    .nullable()
    .describe('What it gives for -Infinity: NaN in every form, which is no failure; the limit is -0'),
  atNaN: z.string().nullable().describe('What it gives for NaN'),
  curve: z
    .array(
      z.object({
        x: z.number().describe('Where the largest error of this part is'),
        abs: z.number().describe('Absolute error there'),
        ulp: z.number().describe('Largest error of this part in units in the last place'),
      }),
    )
    .default([])
    .describe('The largest error in each of 160 equal parts of [-20, 20]'),
  problem: z.string().nullable().describe('Why there are no figures'),
});

const drift = z.object({
  output: z.string().describe('Name of the output'),
  n: count.describe('Elements compared'),
  maxAbs: measured.describe(
    'Largest absolute difference; null, as the other figures, where any element is broken',
  ),
  scale: measured.default(null).describe('Largest absolute value of the reference'),
  meanAbs: measured.describe('Mean absolute difference'),
  rmse: measured.describe('Root of the mean squared difference'),
  cosine: measured.describe('Cosine of the angle between the two outputs, each taken as one vector'),
  sqnr: measured.describe('Signal to noise ratio in dB; null for identical outputs, whose maxAbs is 0'),
  top1: share
    .nullable()
    .describe('Share of rows whose highest class agrees; null where it is no class score'),
  top5: share
    .nullable()
    .describe(
      'Share of rows with the same five highest classes, in any order; null for five classes or fewer',
    ),
  broken: count.describe(
    'Elements that are NaN in one of the two or in both, or infinite in one and not the same in the other',
  ),
  problem: z.string().nullable().describe('What makes the two impossible to compare'),
});

const accuracy = z.object({
  n: count.describe('Labelled samples'),
  top1: share.describe('Share of them whose label is the highest class'),
  top5: share.describe('Share of them whose label is among the five highest classes'),
});

const milliseconds = (what: string) => z.number().nonnegative().describe(`${what}, in milliseconds`);

const timing = z.object({
  createMs: milliseconds('Time to create the session'),
  firstMs: milliseconds('Time of the very first run'),
  p50: milliseconds('Median'),
  p90: milliseconds('90th percentile'),
  p99: milliseconds('99th percentile'),
  mean: milliseconds('Mean'),
  quantiles: z
    .array(z.number().nonnegative())
    .default([])
    .describe('101 quantiles, from the fastest run to the slowest, in milliseconds'),
});

const latency = z.object({
  n: count.describe('Pairs of runs, original and swapped in turns, after a warm-up'),
  repeats: count.default(1).describe('Runs that each time is the mean of, for a clock too coarse for one'),
  original: timing.describe('The original'),
  swapped: timing.describe('The swapped model'),
  ratio: z
    .object({
      value: z.number().describe('The ratio'),
      low: z.number().describe('Lower end of its 95 % interval'),
      high: z.number().describe('Upper end of it'),
    })
    .describe('Swapped over original by their medians, with the 95 % interval by bootstrap over the pairs'),
});

const runtime = z.object({
  name: z.string().describe('onnxruntime-node or onnxruntime-web'),
  version: z.string().describe('Its version'),
  browser: z.string().nullable().describe('Name and version of the browser; null outside one'),
  renderer: z.string().nullable().describe('What the GPU calls itself; null where none is used'),
  software: z
    .boolean()
    .nullable()
    .describe('Whether that GPU is a program on the CPU, whose latency says nothing of a real one'),
  threads: count.nullable().describe('Threads it was allowed; null where ONNX Runtime chose'),
  simd: z.boolean().nullable().describe('Whether WebAssembly had SIMD; null outside a browser'),
});

const placement = z.object({
  counts: z.record(z.string(), count).describe('Nodes by the execution provider they ran on'),
  moved: z
    .array(
      z.object({
        node: z.string().describe('Name of the node'),
        op: z.string().describe('Its operator'),
        provider: z.string().describe('Where it ran'),
      }),
    )
    .describe('The nodes that ran elsewhere than on the provider that was asked for'),
});

const parting = z
  .object({
    node: z.string().describe('Name of the node'),
    op: z.string().describe('Its operator'),
    output: z.string().describe('Its output'),
    maxAbs: measured.describe('Largest absolute difference there'),
    sqnr: measured.describe('Signal to noise ratio there, in dB'),
  })
  .nullable();

const modelProfile = z.object({
  runs: count.describe('Runs that were profiled'),
  totalUs: z.number().describe('Microseconds a run spends in operators'),
  operators: z
    .array(
      z.object({
        op: z.string().describe('The operator, as ONNX Runtime runs it after its own optimisation'),
        provider: z.string().describe('The execution provider it ran on'),
        calls: z.number().describe('Kernels a run'),
        us: z.number().describe('Microseconds a run'),
      }),
    )
    .describe('Time by operator, the most expensive first'),
  sites: z
    .array(
      z.object({
        node: z.string().describe('Name of the site'),
        us: z.number().describe('Microseconds a run, of all nodes of the site'),
      }),
    )
    .describe('Time by site: the activation, or the nodes of the Mish in its place'),
});

const profile = z.object({
  original: modelProfile.describe('The original'),
  swapped: modelProfile.describe('The swapped model'),
  mishUs: z.number().describe('Microseconds a run that the nodes of Mish take'),
  lostFusionUs: z
    .number()
    .describe('Microseconds a run by which everything else is slower: what the lost fusion costs'),
  forms: z
    .array(
      z.object({
        form: z.string().describe('The form'),
        us: measured.describe('Microseconds of a run in operators; null where it does not run'),
      }),
    )
    .describe('What the model would take in each form'),
});

const moments = z
  .object({
    mean: z.number().describe('Mean'),
    std: z.number().describe('Standard deviation'),
    min: z.number().describe('Minimum'),
    max: z.number().describe('Maximum'),
  })
  .nullable();

const run = z.object({
  model: z.enum(['original', 'swapped']).describe('The model'),
  provider: z.string().describe('Where it ran'),
});

const layers = z.object({
  a: run.describe('The reference'),
  b: run.describe('What is held against it'),
  rows: z
    .array(
      z.object({
        node: z.string().describe('Name of the node, or of its first output where it has none'),
        op: z.string().describe('Its operator in a'),
        output: z.string().describe('Name of the tensor'),
        site: z.boolean().describe('Whether it is the output of a site'),
        n: count.describe('Elements compared'),
        a: moments.describe('Of the tensor in a; null where anything is not finite'),
        b: moments.describe('Of the tensor in b'),
        maxAbs: measured.describe('Largest absolute difference'),
        cosine: measured.describe('Cosine of the angle between the two'),
        sqnr: measured.describe('Signal to noise ratio in dB; null for identical tensors'),
        problem: z.string().nullable().describe('What makes the two impossible to compare'),
      }),
    )
    .describe('A row for each tensor that both have, in topological order'),
});

const providerRow = z.object({
  provider: z.string().describe('The execution provider asked for'),
  status: z.enum(['ran', 'failed', 'unavailable']).describe('Whether it ran'),
  reason: z.string().nullable().describe('Why it did not run'),
  fix: z.string().nullable().describe('What to do about it'),
  runtime: runtime.nullable().default(null).describe('What it ran on; null where it did not run'),
  notes: z.array(z.string()).default([]).describe('What a reader of this row has to know'),
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
      'maxAbs and so on. Judged unasked: maxParity and maxOriginalParity (against the CPU), maxKernel, and maxBroken, which appears when it is not kept',
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

/**
 * The schema as a JSON Schema document (draft 2020-12), which is published as onnx-mish/report.schema.json. It
 * allows fields that it does not know, as `parseReport` does: a later minor version may add some.
 */
export function reportJsonSchema(): object {
  const schema = z.toJSONSchema(reportSchema, { io: 'input' });
  return { $id: REPORT_SCHEMA, title: 'onnx-mish validation report', ...schema };
}
