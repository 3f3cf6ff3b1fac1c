// The parts of a report that hold figures.
import { z } from 'zod';

export const count = z.int().nonnegative();
export const measured = z.number().nullable();
const share = z.number().min(0).max(1);

export const sweep = z.object({
  kind: z
    .enum(['mish', 'mixture', 'relu', 'leakyrelu'])
    .default('mish')
    .describe('The function; a mixture is αx + (1 - α) · mish(x)'),
  form: z.string().nullable().describe('The form of Mish and of mixtures; null for the original activations'),
  beta: z.number().nullable().describe('The sharpness of Mish; 1 is Mish itself'),
  alpha: measured.default(null).describe('The slope of LeakyReLU below 0, or of a mixture'),
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

export const drift = z.object({
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

export const accuracy = z.object({
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

export const latency = z.object({
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

export const runtime = z.object({
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

export const placement = z.object({
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

export const parting = z
  .object({
    node: z.string().describe('Name of the node'),
    op: z.string().describe('Its operator'),
    output: z.string().describe('Its output'),
    maxAbs: measured.describe('Largest absolute difference there'),
    sqnr: measured.describe('Signal to noise ratio there, in dB'),
  })
  .nullable();

export const modelProfile = z.object({
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

export const profile = z.object({
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

export const layers = z.object({
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
