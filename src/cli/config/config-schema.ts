// Schema of onnx-mish.config.{ts,js,json}: the options of each command, with names in camel case.
import { z } from 'zod';
import { inWords } from '../../base/in-words.js';
import { AUGMENTATIONS } from '../../data/augment.js';
import { readFactor } from '../../data/factor.js';
import { LAYOUTS } from '../../data/images.js';
import { KINDS, REPLACEMENTS } from '../../mish/activation-kinds.js';
import { FORMS, TARGETS } from '../../mish/forms.js';
import { INT8_WAYS } from '../../mish/int8-ways.js';
import { EXTERNAL_DATA } from '../../onnx/external-data-choices.js';
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
const shareBelow = (limit: number, about: string) => z.number().min(0).lt(limit).optional().describe(about);
const some = (about: string) => z.int().min(1).optional().describe(about);
const count = (about: string) => z.int().min(0).optional().describe(about);
const choice = <const T extends string>(names: readonly T[], about: string) =>
  z.enum(names).optional().describe(about);
const rgb = (value: z.ZodNumber, about: string) => z.tuple([value, value, value]).optional().describe(about);

const formNames = Object.keys(FORMS) as (keyof typeof FORMS)[];
const sharpness = z.union([z.number().positive(), z.literal('auto')], 'has to be a number above 0, or auto');

const forms = {
  form: choice(formNames, 'Form of Mish in the model'),
  target: choice(TARGETS, 'Provider whose best form is used, instead of `form`'),
};

const sites = {
  only: z
    .array(z.enum([...KINDS.map(({ name }) => name), 'silu']))
    .optional()
    .describe('Kinds of activation (default: relu, leakyrelu and, with `to`, mish)'),
  include: texts('Globs on node or output names; a site has to match at least one'),
  exclude: texts('Globs on node or output names; a site must match none'),
};

const models = {
  models: texts(
    'Models if the command line has none: paths and globs, relative to this file; !glob excludes',
  ),
  failFast: flag('Stop at the first model that fails'),
  allowOutsideData: flag(
    'Also read external data outside of a model’s folder; only for models that you trust',
  ),
};

const many = {
  ...models,
  jobs: some('Models to process at the same time (default: 4)'),
  junit: text('JUnit XML file with a case for each model, relative to this file'),
};

const weights = {
  externalData: choice(
    EXTERNAL_DATA,
    'Place of the weights: in the model, in the present data files, or in one data file',
  ),
};

const output = {
  outDir: text('Folder for outputs, relative to this file'),
  force: flag('Overwrite existing outputs'),
};

const labelled = {
  data: text('Samples: an .npz, an .npy, a folder with input_0.pb and output_0.pb, or random'),
  labels: text('Array of the .npz with the classes'),
  ignoreLabel: z.int().optional().describe('Label that does not count, such as 255 in masks'),
  images: text('Folder of images, a subfolder for each class'),
  size: some('Width and height of the images'),
  resize: some('Length of the shorter side before the crop'),
  mean: rgb(z.number().min(-1).max(1), 'Mean to subtract from pixels of 0 to 1'),
  std: rgb(z.number().positive().max(2), 'Standard deviation to divide the difference by'),
  layout: choice(LAYOUTS, 'Position of the channels'),
  channels: choice(['rgb', 'bgr'], 'Their order'),
  limit: some('Earlier name of `samples`, for images'),
  seed: count('Seed of random numbers'),
};

const data = {
  ...labelled,
  shape: z
    .record(z.string(), z.array(z.int().min(0)))
    .optional()
    .describe('Shape of an input'),
  dim: z.record(z.string(), z.int().min(0)).optional().describe('Sizes of symbolic dimensions'),
};

const NO_FACTOR = 'has to be a number other than 0, or a quotient such as 1/255';
const isQuotient = (text: string) => text.includes('/') && readFactor(text) !== undefined;

const arrays = {
  scale: z
    .union(
      [
        z.number().refine((factor) => factor !== 0, NO_FACTOR),
        z.string().regex(/\//, NO_FACTOR).refine(isQuotient, NO_FACTOR),
      ],
      NO_FACTOR,
    )
    .optional()
    .describe('Factor for the samples of `data`: a number, or a quotient such as 1/255'),
  dataLayout: choice(LAYOUTS, 'Position of the channels in `data`, if the model has another'),
};

const quiet = { quiet: flag('Print no report, notes or progress, only errors and JSON') };

const FIX = 'Rewrite nodes that WebGL computes wrongly (default for the target webgl: true)';

const swap = z
  .strictObject({
    ...many,
    ...output,
    ...weights,
    ...forms,
    ...sites,
    ...data,
    ...arrays,
    beta: sharpness.optional().describe('Sharpness β, 1 for Mish; auto for the smallest that `keep` allows'),
    to: choice([...REPLACEMENTS, 'silu'], 'Activation to write (default: mish)'),
    alpha: number('Slope below zero, for `to` leakyrelu'),
    leaky: choice(['mish', 'mixture'], 'Replacement of LeakyRelu'),
    fold: flag('Multiply β into the weights around a site where possible'),
    int8: choice(INT8_WAYS, 'Swap sites between quantised tensors as well, with new scales'),
    strict: flag('Fail if an activation is skipped'),
    ...quiet,
    undo: flag('Keep the record from which undo restores the original (true unless given)'),
    keep: texts('Budget on samples, such as agreement>=0.99 or sqnr>=30'),
    samples: some('Maximal number of samples for `keep`'),
    report: text('HTML file for the result of `keep`, relative to this file'),
    fix: flag(FIX),
    opset: some('Opset to raise the model to, if its operators mean the same in that opset'),
  })
  .refine(oneForm, ONE_FORM);

const inspect = z.strictObject({
  ...many,
  to: choice([...REPLACEMENTS, 'silu'], 'Activation that a swap would write (default: mish)'),
  ...sites,
  ...data,
  ...arrays,
  samples: some('Maximal number of samples'),
  all: flag('List every site'),
  report: text('HTML file for the statistics of the samples, relative to this file'),
  force: flag('Overwrite the report if it exists'),
});

const undo = z.strictObject({ ...many, ...output, ...quiet });

const retarget = z
  .strictObject({
    ...many,
    ...output,
    ...quiet,
    ...weights,
    ...forms,
    fix: flag(FIX),
    opset: some('Opset to raise the model to, if its operators mean the same in that opset'),
    fixRelu: flag('Another name for `fix`'),
    undo: flag('Keep the record from which undo restores the original (true unless given)'),
  })
  .refine(oneForm, ONE_FORM);

const validate = z
  .strictObject({
    ...models,
    swappedDir: text('Folder of swap.outDir, relative to this file (default: models are swapped in memory)'),
    ...forms,
    ...data,
    ...arrays,
    beta: positive('Sharpness β of the swap in memory'),
    providers: z.array(z.enum(PROVIDERS)).min(1).optional().describe('Execution providers'),
    samples: some('Maximal number of samples (default: all; 4 random inputs without data)'),
    runs: count('Earlier name of `samples`, for random inputs'),
    threads: count('Threads within an operator'),
    browser: text(`The browser for ${inWords(WEB_PROVIDERS)}, relative to this file`),
    timeout: positive('Time limit in seconds for loading a model, and for each run, in a browser'),
    allowFallback: flag('Let nodes that a provider does not support run on the CPU, and list them'),
    deviceId: count('GPU of cuda, tensorrt and dml'),
    perLayer: flag('Also compare inner tensors'),
    profile: flag('Show the time per operator'),
    latency: flag('Measure latency (default: true)'),
    pairs: count('Minimal number of timed pairs of runs'),
    seconds: number('Minimal duration of the timing, in seconds'),
    maxAbs: number('Largest difference of any output element'),
    minCosine: number('Smallest cosine between outputs'),
    minSqnr: number('Smallest signal to noise ratio of an output, in dB'),
    minAgreement: share('Smallest share of rows with the same top class'),
    minTop1: share('Smallest labelled top-1 accuracy of the swapped model'),
    maxTop1Drop: number('Largest loss of labelled top-1 accuracy, in percentage points'),
    maxLatencyRatio: number('Largest ratio of median latencies, swapped over original'),
    maxKernelError: number('Largest error of a kernel, divided by the larger of 1 and the exact value'),
    maxParity: number('Largest difference from the CPU, as a share of the largest output'),
    require: texts('The same limits as text, such as sqnr>=30 or top1-drop<=0.5'),
    report: text('HTML file for the report, relative to this file'),
    junit: text('JUnit XML file, relative to this file'),
    force: flag('Overwrite existing files'),
  })
  .refine(oneForm, ONE_FORM);

const written = {
  force: output.force,
  to: choice([...REPLACEMENTS, 'silu'], 'Activation to write (default: mish)'),
  alpha: number('Slope below zero, for `to` leakyrelu'),
  leaky: choice(['mish', 'mixture'], 'Replacement of LeakyRelu'),
};

const access = { allowOutsideData: models.allowOutsideData };

const calibrate = z
  .strictObject({
    ...forms,
    ...sites,
    ...data,
    ...arrays,
    ...written,
    ...access,
    samples: some('Maximal number of samples'),
    beta: sharpness
      .optional()
      .describe('Sharpness β, 1 for Mish; auto raises the default until `keep` holds'),
    curved: share('Share of a site’s inputs that each β leaves on the bend'),
    keep: texts('Budget of `beta` auto, such as agreement>=0.99 or sqnr>=30'),
    fold: flag('Multiply β into the weights around a site where possible'),
    int8: choice(INT8_WAYS, 'Swap sites between quantised tensors, with scales from the samples'),
    judgeBy: texts('Outputs by which models are compared (default: all)'),
    layers: texts('Globs on node or output names of the layers to repair'),
    rows: some('Approximate number of rows to solve the weights of a layer from'),
    ridge: positive('Ridge for all layers (default: chosen per layer)'),
    steps: count('Gradient steps on all layers together'),
    threads: count('Threads within an operator'),
    report: text('HTML file for the report, relative to this file'),
    all: flag('List every layer'),
  })
  .refine(oneForm, ONE_FORM);

const rank = z
  .strictObject({
    ...forms,
    ...sites,
    ...data,
    ...arrays,
    to: written.to,
    alpha: written.alpha,
    leaky: written.leaky,
    int8: choice(INT8_WAYS, 'Rank sites between quantised tensors as well, with new scales'),
    ...access,
    samples: some('Maximal number of samples'),
    beta: positive('Sharpness β of Mish'),
    estimate: flag('Rank by the estimate, without measurements'),
    report: text('HTML file for the ranking, relative to this file'),
    force: output.force,
    top: count('Number of sites to measure, the most harmless by the estimate'),
  })
  .refine(oneForm, ONE_FORM);

const training = {
  epochs: some('Passes over the training samples'),
  batch: some('Samples in a step'),
  loss: choice(['cross-entropy', 'bce', 'mse'], 'The loss'),
  head: text('Output that the loss is computed from'),
  optimizer: choice(['rmsprop', 'adam', 'adamw', 'sgd'], 'The optimiser'),
  momentum: shareBelow(1, 'Momentum of rmsprop and sgd'),
  lr: positive('Learning rate after the warm-up'),
  schedule: choice(['constant', 'cosine', 'step'], 'Course of the learning rate'),
  warmUp: share('Share of the steps over which the rate rises'),
  weightDecay: number('Weight decay'),
  labelSmoothing: shareBelow(1, 'Share of the uniform distribution in the targets'),
  clip: positive('Maximal norm of all gradients together'),
  augment: z.array(z.enum(AUGMENTATIONS)).optional().describe('Random changes of images'),
};

const finetune = z
  .strictObject({
    ...forms,
    ...sites,
    ...labelled,
    ...arrays,
    ...written,
    ...access,
    samples: some('Maximal number of samples'),
    targets: text('Array of the .npz with other targets, in the shape of the output'),
    validation: shareBelow(0.9, 'Share of the samples for validation'),
    test: text('Samples for the test, as `data` or `images`, relative to this file'),
    ...training,
    freeze: texts('Globs on the names of weights to keep'),
    bn: choice(['auto', 'frozen', 'train', 'insert'], 'Statistics of batch normalisation'),
    teacher: z
      .union([z.number().min(0).max(1), z.literal(true)], 'has to be a number from 0 to 1, or true')
      .optional()
      .describe('Share of the original’s outputs in the targets; true for 0.5'),
    patience: some('Epochs without a better validation score after which the training stops'),
    beta: positive('Sharpness β'),
    calibrate: flag('Repair the weights before the training (default: true)'),
    control: flag('Train the original as well (default: true)'),
    seeds: some('Number of trainings of each arm'),
    threads: count('Threads within an operator'),
    report: text('HTML file for the report, relative to this file'),
    all: flag('List every weight and site'),
  })
  .refine(oneForm, ONE_FORM);

const experiment = z.strictObject({
  ...sites,
  ...labelled,
  ...arrays,
  ...access,
  ...training,
  targets: text('Array of the .npz with other targets, in the shape of the output'),
  samples: some('Maximal number of samples'),
  test: text('Samples for the test, as `data` or `images`, relative to this file'),
  activations: texts('Activations to compare (default: relu, leakyrelu, swish, mish)'),
  seeds: some('Number of trainings of each activation'),
  bn: flag('Batch normalisation behind each convolution'),
  landscape: z
    .union([z.int().min(3), z.boolean()], 'has to be a whole number of at least 3, or true or false')
    .optional()
    .describe('Points along each direction of the loss landscape; false for none'),
  span: positive('Distance of the landscape’s edge, in filter norms'),
  jobs: some('Processes (default: one for each core)'),
  threads: some('Threads of each process'),
  force: output.force,
  report: text('HTML file for the report, relative to this file'),
});

const report = z.strictObject({
  report: text('HTML file, relative to this file'),
  junit: text('JUnit XML file, relative to this file'),
  force: flag('Overwrite existing files'),
});

const ui = z.strictObject({
  ...access,
  port: count('Port to listen on (default: any free port)'),
  open: flag('Open a browser (default: true)'),
});

const doctor = z.strictObject({
  browser: text(`The browser for ${inWords(WEB_PROVIDERS)}, relative to this file`),
});

export const configSchema = z.strictObject({
  $schema: text('Address of the JSON schema of this file, for editors'),
  swap: swap.optional().describe('Options of onnx-mish swap'),
  inspect: inspect.optional().describe('Options of onnx-mish inspect'),
  undo: undo.optional().describe('Options of onnx-mish undo'),
  retarget: retarget.optional().describe('Options of onnx-mish retarget'),
  validate: validate.optional().describe('Options of onnx-mish validate'),
  calibrate: calibrate.optional().describe('Options of onnx-mish calibrate'),
  finetune: finetune.optional().describe('Options of onnx-mish finetune'),
  experiment: experiment.optional().describe('Options of onnx-mish experiment'),
  rank: rank.optional().describe('Options of onnx-mish rank'),
  report: report.optional().describe('Options of onnx-mish report'),
  ui: ui.optional().describe('Options of onnx-mish ui'),
  doctor: doctor.optional().describe('Options of onnx-mish doctor'),
});

/** Configuration of onnx-mish: the options of each command. */
export type Config = z.input<typeof configSchema>;

/** Keys whose value is started as a program. A JSON configuration must not have them. */
export const PROGRAM_KEYS = ['browser'];

/** Returns the schema as JSON Schema (draft 2020-12), published as onnx-mish/config.schema.json. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override({ jsonSchema: { properties } }) {
      for (const key of PROGRAM_KEYS) delete properties?.[key];
    },
  });
  return { $id: 'onnx-mish/config@1', title: 'onnx-mish configuration', ...schema };
}
