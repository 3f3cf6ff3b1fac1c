// Schemas of a report's figures.
import { z } from 'zod';

export const countSchema = z.int().nonnegative();
export const measured = z.number().nullable();
const share = z.number().min(0).max(1);

export const sweepSchema = z.object({
  kind: z
    .enum(['mish', 'mixture', 'relu', 'leakyrelu'])
    .default('mish')
    .describe('The activation; a mixture is αx + (1 - α) · mish(x)'),
  form: z.string().nullable().describe('The form of Mish and of mixtures; null for the original activations'),
  beta: z.number().nullable().describe('The sharpness of Mish; 1 is Mish itself'),
  alpha: measured.default(null).describe('The slope of LeakyReLU below 0, or of a mixture'),
  bound: measured
    .default(null)
    .describe('Largest difference of an approximate form from the exact function, which the verdict allows'),
  elemType: z.string().describe('f16, f32 or f64'),
  opset: countSchema.describe('Opset of the model with only this kernel'),
  n: countSchema.describe('Number of finite points'),
  maxAbs: measured.describe('Largest absolute error against the float64 formula'),
  maxAbsAt: measured.describe('x at the largest absolute error'),
  maxUlp: measured.describe('Largest error in units in the last place of the exact value'),
  maxUlpAt: measured.describe('x at the largest error in units in the last place'),
  maxScaled: measured
    .default(null)
    .describe('Largest error divided by the larger of 1 and the exact value; the verdict uses this figure'),
  broken: countSchema.describe(
    'Number of finite points at which the kernel returned NaN, or an infinity where the type holds the exact value',
  ),
  atInfinity: z.string().nullable().describe('Output of the kernel for +Infinity'),
  atMinusInfinity: z
    .string()
    .nullable()
    .describe(
      'Output for -Infinity: NaN in every form, which is not a failure; the mathematical limit is -0',
    ),
  atNaN: z.string().nullable().describe('Output for NaN'),
  curve: z
    .array(
      z.object({
        x: z.number().describe('x at the largest error of this part'),
        abs: z.number().describe('Absolute error at x'),
        ulp: z.number().describe('Largest error of this part in units in the last place'),
      }),
    )
    .default([])
    .describe('The largest error in each of 160 equal parts of [-20, 20]'),
  problem: z.string().nullable().describe('Reason for missing figures'),
});

export const drift = z.object({
  output: z.string().describe('Name of the output'),
  n: countSchema.describe('Number of compared elements'),
  maxAbs: measured.describe(
    'Largest absolute difference; null, as the other figures, where any element is not finite, or texts differ',
  ),
  scale: measured.default(null).describe('Largest absolute value of the reference'),
  meanAbs: measured.describe('Mean absolute difference'),
  rmse: measured.describe('Root of the mean squared difference'),
  cosine: measured.describe('Cosine of the angle between the two outputs, read as vectors'),
  sqnr: measured.describe('Signal to noise ratio in dB; null for identical outputs, whose maxAbs is 0'),
  top1: share
    .nullable()
    .describe(
      'Share of rows with the same highest class, or of equal texts or labels; null for other outputs',
    ),
  top5: share
    .nullable()
    .describe(
      'Share of rows with the same five highest classes, in any order; null for five classes or fewer',
    ),
  broken: countSchema.describe(
    'Number of elements that are NaN in either output, or infinite in one and different in the other',
  ),
  brokenInReference: countSchema
    .default(0)
    .describe('Number of these elements that are NaN or infinite in the reference'),
  isText: z.boolean().default(false).describe('Whether the output has texts'),
  areLabels: z
    .boolean()
    .default(false)
    .describe('Whether the output has integers of 32 or 64 bits, or truth values: labels, indices, masks'),
  problem: z.string().nullable().describe('Why the outputs cannot be compared'),
});

export const shareInterval = z
  .object({
    low: share.describe('Lower end'),
    high: share.describe('Upper end'),
  })
  .optional();

export const multiLabel = z
  .object({
    exactMatch: share.describe('Share of samples all of whose labels are right, or subset accuracy'),
    microF1: share
      .nullable()
      .describe('F1 of all labels together; null where no label is 1 and none is predicted'),
    macroF1: share
      .nullable()
      .describe(
        'Mean of the F1 of each label; labels that no sample has and no prediction names do not count',
      ),
  })
  .describe(
    'Measures of several labels per sample, each 0 or 1; absent without them, and in reports of earlier versions',
  );

export const accuracySchema = z.object({
  n: countSchema.describe('Number of labelled samples'),
  top1: share.describe(
    'Share of samples whose label is the highest class; of labels that are right, where a sample has several or one for each place',
  ),
  top5: share
    .nullable()
    .describe(
      'Share of samples, or of their places, whose label is among the five highest classes; null for five classes or fewer, and 1 in reports of earlier versions',
    ),
  places: countSchema
    .optional()
    .describe('Number of labels, such as those of pixels; absent with one label per sample'),
  meanIou: share
    .optional()
    .describe(
      'Mean intersection over union of the classes; absent with one label per sample, or several without places',
    ),
  multiLabel: multiLabel.optional(),
  top1Interval: shareInterval.describe(
    '95 % interval of top1, by Wilson, clustered by sample where it has places; absent in reports of earlier versions',
  ),
  top5Interval: shareInterval.describe(
    '95 % interval of top5, likewise; absent where top5 is null, and in reports of earlier versions',
  ),
});

const milliseconds = (what: string) => z.number().nonnegative().describe(`${what}, in milliseconds`);

const timing = z.object({
  createMs: milliseconds('Time to create the session'),
  firstMs: milliseconds('Time of the first run'),
  p50: milliseconds('Median'),
  p90: milliseconds('90th percentile'),
  p99: milliseconds('99th percentile'),
  mean: milliseconds('Mean'),
  quantiles: z
    .array(z.number().nonnegative())
    .default([])
    .describe('101 quantiles, from the fastest run to the slowest, in milliseconds'),
});

export const latency = z.object({
  n: countSchema.describe('Number of pairs of runs, original and swapped in turns, after a warm-up'),
  repeats: countSchema
    .default(1)
    .describe('Number of runs that each time is the mean of; above 1 for a coarse clock'),
  original: timing.describe('The original'),
  swapped: timing.describe('The swapped model'),
  ratio: z
    .object({
      value: z.number().describe('The ratio'),
      low: z.number().describe('Lower end of the 95 % interval'),
      high: z.number().describe('Upper end of the 95 % interval'),
    })
    .describe(
      'Median time of the swapped model divided by the original’s, with a 95 % bootstrap interval over the pairs',
    ),
});

export const runtime = z.object({
  name: z.string().describe('onnxruntime-node or onnxruntime-web'),
  version: z.string().describe('Version of the runtime'),
  browser: z.string().nullable().describe('Name and version of the browser; null outside one'),
  renderer: z.string().nullable().describe('Name that the GPU reports; null without a GPU'),
  software: z
    .boolean()
    .nullable()
    .describe('Whether software on the CPU emulates the GPU; its latency says nothing about a real GPU'),
  threads: countSchema.nullable().describe('Maximum number of threads; null if ONNX Runtime chose'),
  spinning: z
    .boolean()
    .optional()
    .describe('Whether idle threads spin while they wait for work; absent if the runtime chose'),
  simd: z.boolean().nullable().describe('Whether WebAssembly had SIMD; null outside a browser'),
});

export const placement = z.object({
  counts: z.record(z.string(), countSchema).describe('Number of nodes by execution provider'),
  moved: z
    .array(
      z.object({
        node: z.string().describe('Name of the node'),
        op: z.string().describe('Operator of the node'),
        provider: z.string().describe('The execution provider that ran the node'),
      }),
    )
    .describe('Nodes that did not run on the requested provider'),
});

export const divergence = z
  .object({
    node: z.string().describe('Name of the node'),
    op: z.string().describe('Operator of the node'),
    output: z.string().describe('Name of the tensor, an output of the node'),
    maxAbs: measured.describe('Largest absolute difference of the tensor'),
    sqnr: measured.describe('Signal to noise ratio of the tensor, in dB'),
  })
  .nullable();

export const modelProfile = z.object({
  runs: countSchema.describe('Number of profiled runs'),
  totalUs: z.number().describe('Time in operators, in microseconds per run'),
  operators: z
    .array(
      z.object({
        op: z.string().describe('The operator after ONNX Runtime’s optimisation'),
        provider: z.string().describe('The execution provider that ran the operator'),
        calls: z.number().describe('Number of kernel calls per run'),
        us: z.number().describe('Time in microseconds per run'),
      }),
    )
    .describe('Time by operator, the most expensive first'),
  sites: z
    .array(
      z.object({
        node: z.string().describe('Name of the site'),
        us: z.number().describe('Time of all nodes of the site, in microseconds per run'),
      }),
    )
    .describe('Time by site: of the activation, or of the Mish nodes that replace it'),
});

export const profile = z.object({
  original: modelProfile.describe('The original'),
  swapped: modelProfile.describe('The swapped model'),
  mishUs: z.number().describe('Time of the Mish nodes, in microseconds per run'),
  lostFusionUs: z
    .number()
    .describe('Cost of the lost fusion: additional time of all other nodes, in microseconds per run'),
  forms: z
    .array(
      z.object({
        form: z.string().describe('The form'),
        us: measured.describe('Time in operators, in microseconds per run; null if the form does not run'),
      }),
    )
    .describe('Time of the swapped model in each form'),
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
  provider: z.string().describe('The execution provider'),
});

export const layers = z.object({
  a: run.describe('The reference'),
  b: run.describe('The run that is compared with the reference'),
  runs: countSchema
    .optional()
    .describe('Number of compared runs, the first of the data; absent in reports of earlier versions'),
  rows: z
    .array(
      z.object({
        node: z.string().describe('Name of the node, or of its first output if the node has no name'),
        op: z.string().describe('Operator of the node in a'),
        output: z.string().describe('Name of the tensor'),
        site: z.boolean().describe('Whether the tensor is the output of a site'),
        n: countSchema.describe('Number of compared elements'),
        a: moments.describe('Moments of the tensor in a; null if an element is not finite'),
        b: moments.describe('Moments of the tensor in b; null if an element is not finite'),
        maxAbs: measured.describe('Largest absolute difference'),
        cosine: measured.describe('Cosine of the angle between the two tensors'),
        sqnr: measured.describe('Signal to noise ratio in dB; null for identical tensors'),
        problem: z.string().nullable().describe('Why the tensors cannot be compared'),
      }),
    )
    .describe('A row for each tensor of both models, in topological order'),
});

/** The program that wrote a report. */
export const toolSchema = z
  .object({
    name: z.literal('onnx-mish').describe('Always onnx-mish'),
    version: z.string().describe('Its version'),
  })
  .describe('The program that wrote the report');

/** The machine that a report was made on. */
export const hostSchema = z
  .object({
    os: z.string().describe('Operating system and its version'),
    arch: z.string().describe('Processor architecture'),
    cpu: z.string().describe('Processor model'),
    cores: countSchema.describe('Logical processors'),
    memory: countSchema.describe('Bytes'),
    node: z.string().describe('Version of Node'),
    onnxruntime: z.string().describe('Version of onnxruntime-node'),
  })
  .describe('The machine and the versions');
