// What onnx-mish.config.{ts,js,json} may hold: for each command the options it has, by their names in camel case.
import { z } from 'zod';
import { inWords } from '../../base/in-words.js';
import { LAYOUTS } from '../../data/images.js';
import { KINDS } from '../../mish/activation-kinds.js';
import { FORMS, TARGETS } from '../../mish/forms.js';
import { PROVIDERS } from '../../providers/provider.js';
import { WEB_PROVIDERS } from '../../providers/web-providers.js';

const text = (about: string) => z.string().optional().describe(about);
const texts = (about: string) => z.array(z.string()).optional().describe(about);
const oneForm = ({ form, target }: { form?: unknown; target?: unknown }) =>
  form === undefined || target === undefined;
const ONE_FORM = { path: ['target'], error: 'and form exclude each other' };
const flag = (about: string) => z.boolean().optional().describe(about);
const number = (about: string) => z.number().optional().describe(about);
const positive = (about: string) => z.number().positive().optional().describe(about);
const share = (about: string) => z.number().min(0).max(1).optional().describe(about);
const some = (about: string) => z.int().min(1).optional().describe(about);
const count = (about: string) => z.int().min(0).optional().describe(about);
const choice = <const T extends string>(names: readonly T[], about: string) =>
  z.enum(names).optional().describe(about);
const rgb = (about: string) => z.tuple([z.number(), z.number(), z.number()]).optional().describe(about);

const formNames = Object.keys(FORMS) as (keyof typeof FORMS)[];
const sharpness = z.union([z.number().positive(), z.literal('auto')], 'has to be a number above 0, or auto');

const forms = {
  form: choice(formNames, 'How to write Mish'),
  target: choice(TARGETS, 'The form that suits this provider, in place of `form`'),
};

const sites = {
  only: z
    .array(z.enum(KINDS.map(({ name }) => name)))
    .optional()
    .describe('Kinds of activation (relu and leakyrelu unless given)'),
  include: texts('Globs on node or output names; a site has to match one'),
  exclude: texts('Globs on node or output names; a site must match none'),
};

const models = {
  models: texts(
    'Models, where the command line names none: paths and globs, from this file on; !glob leaves out',
  ),
  failFast: flag('Stop at the first model that fails'),
  allowOutsideData: flag(
    'Read external data outside of a model’s folder as well; only for models that you trust',
  ),
};

const many = { ...models, jobs: some('Models under way at once (4 unless given)') };

const output = {
  outDir: text('Folder to write below, from this file on'),
  force: flag('Overwrite outputs that exist'),
};

const data = {
  data: text('Samples: an .npz, an .npy, a folder with input_0.pb and output_0.pb, or random'),
  labels: text('The array of the .npz that holds the classes'),
  images: text('Folder of images, a subfolder for each class'),
  size: some('Width and height of the images'),
  resize: some('Length of the shorter side before the crop'),
  mean: rgb('Subtracted from pixels of 0 to 1'),
  std: rgb('What the difference is divided by'),
  layout: choice(LAYOUTS, 'Where the channels are'),
  channels: choice(['rgb', 'bgr'], 'Their order'),
  limit: some('Take so many images only'),
  shape: z
    .record(z.string(), z.array(z.int().min(0)))
    .optional()
    .describe('The shape to feed an input with'),
  dim: z.record(z.string(), z.int().min(0)).optional().describe('Sizes of symbolic dimensions'),
  seed: count('Seed of whatever is random'),
};

const FIX = 'Write what WebGL computes wrong so that it is right (true unless given, for the target webgl)';

const swap = z
  .strictObject({
    ...many,
    ...output,
    ...forms,
    ...sites,
    ...data,
    beta: sharpness.optional().describe('Sharpness β, 1 for Mish; auto for the smallest that `keep` allows'),
    leaky: choice(['mish', 'mixture'], 'What LeakyRelu becomes'),
    fold: flag('Put β into the weights around a site where that changes nothing'),
    strict: flag('Fail when an activation had to be left alone'),
    undo: flag('Keep the record from which undo restores the original (true unless given)'),
    keep: texts('Budget on samples, such as agreement>=0.99 or sqnr>=30'),
    samples: count('Samples for `keep` to take at the most'),
    fix: flag(FIX),
    opset: some('Opset to raise the model to, where its operators mean the same there'),
  })
  .refine(oneForm, ONE_FORM);

const inspect = z.strictObject({
  ...many,
  ...sites,
  ...data,
  samples: some('Samples to take at the most'),
  all: flag('List every site'),
  report: text('HTML file for what the samples show, from this file on'),
  force: flag('Overwrite the report if it exists'),
});

const undo = z.strictObject({ ...many, ...output });

const retarget = z
  .strictObject({
    ...many,
    ...output,
    ...forms,
    fix: flag(FIX),
    opset: some('Opset to raise the model to, where its operators mean the same there'),
    fixRelu: flag('Another name for `fix`'),
    undo: flag('Keep the record from which undo restores the original (true unless given)'),
  })
  .refine(oneForm, ONE_FORM);

const validate = z
  .strictObject({
    ...models,
    swappedDir: text(
      'Folder that swap.outDir names, from this file on; without it models are swapped in memory',
    ),
    ...forms,
    ...data,
    beta: positive('Sharpness for the swap in memory'),
    providers: z.array(z.enum(PROVIDERS)).min(1).optional().describe('Execution providers'),
    runs: count('How many different noises to feed'),
    threads: count('Threads within an operator'),
    browser: text(`The browser for ${inWords(WEB_PROVIDERS)}, from this file on`),
    timeout: positive('Seconds that opening a model or one run may take in a browser'),
    allowFallback: flag('Let nodes that a provider cannot run move to the CPU, and list them'),
    deviceId: count('Which GPU cuda and tensorrt run on'),
    perLayer: flag('Compare the tensors inside as well'),
    profile: flag('Say where the time goes'),
    latency: flag('Measure latency (true unless given)'),
    pairs: count('Pairs of runs to time at the least'),
    seconds: number('Seconds to time for at the least'),
    maxAbs: number('Largest difference of any output element'),
    minCosine: number('Smallest cosine between outputs'),
    minSqnr: number('Smallest signal to noise ratio of an output, in dB'),
    minAgreement: share('Smallest share of rows with the same top class'),
    minTop1: share('Smallest labelled top-1 accuracy of the swapped model'),
    maxTop1Drop: number('Largest loss of labelled top-1 accuracy, in percentage points'),
    maxLatencyRatio: number('Largest ratio of median latencies, swapped over original'),
    maxKernelError: number('Largest absolute error of a kernel'),
    maxParity: number('Largest difference from the CPU, as a share of the largest output'),
    report: text('HTML file for the report, from this file on'),
    junit: text('JUnit XML file, from this file on'),
    force: flag('Overwrite files that exist'),
  })
  .refine(oneForm, ONE_FORM);

export const configSchema = z.strictObject({
  $schema: text('Where an editor finds the schema of this file'),
  swap: swap.optional().describe('Options of onnx-mish swap'),
  inspect: inspect.optional().describe('Options of onnx-mish inspect'),
  undo: undo.optional().describe('Options of onnx-mish undo'),
  retarget: retarget.optional().describe('Options of onnx-mish retarget'),
  validate: validate.optional().describe('Options of onnx-mish validate'),
});

/** A configuration of onnx-mish: for each command its options. */
export type Config = z.input<typeof configSchema>;

/** Keys whose value is started as a program, which only the command line, the environment and code may name. */
export const PROGRAM_KEYS = ['browser'];

/** The schema as a JSON Schema document (draft 2020-12), which is published as onnx-mish/config.schema.json. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override({ jsonSchema: { properties } }) {
      for (const key of PROGRAM_KEYS) delete properties?.[key];
    },
  });
  return { $id: 'onnx-mish/config@1', title: 'onnx-mish configuration', ...schema };
}
