import { OnnxMishError, withDetails } from '../base/error.js';
import { VERSION } from '../base/version.js';
import { countSamples, type Dataset, type Feeds, firstFeed } from '../data/dataset.js';
import { hashFeeds } from '../data/hash-feeds.js';
import { labelsOf } from '../data/labels.js';
import { runnableNoise } from '../data/runnable-noise.js';
import { sampleDoubt } from '../data/sample-doubt.js';
import type { Provider, Session } from '../providers/provider.js';
import type { Both } from './compare.js';
import { conclusionOf } from './conclusion.js';
import { layersInside } from './layer-reports.js';
import { closeBoth, measure, measureElsewhere, openBoth } from './measure.js';
import type { ValidationOptions } from './options.js';
import { type ProviderRow, parseReport, REPORT_SCHEMA, type Report } from './report-schema.js';
import { checkThresholds, judge, notesOnThresholds } from './thresholds.js';
import { floatsOf } from './tolerance.js';

/**
 * Compares a swapped model with its original on each provider: kernel error, drift of every output,
 * parity with the CPU, labelled accuracy, latency. A provider that is missing or fails gets a row with the reason.
 * Throws `bad-data` if feeds and models do not fit, `run-failed` if a model does not run on the CPU,
 * `bad-usage` for a threshold that is not a finite number, `aborted`.
 */
export async function validateModels(options: ValidationOptions): Promise<Report> {
  const { original, swapped, cpu, thresholds = {}, onProgress = () => {} } = options;
  checkThresholds(thresholds);
  onProgress('opening the models');
  await cpu.availability(); // sets `cpu.version`, too
  const { providers, dataset, doubt } = await measureProviders(options);
  const verdicts = providers
    .filter((row) => row.status !== 'unavailable')
    .flatMap((row) => judge(row.provider, row, thresholds, floatsOf(original.info, swapped.info)));
  const data = await describeData(dataset);
  return parseReport({
    schema: REPORT_SCHEMA,
    created: new Date().toISOString(),
    tool: { name: 'onnx-mish', version: VERSION },
    host: { ...options.host, onnxruntime: cpu.version },
    models: { original: original.info, swapped: swapped.info },
    data,
    providers,
    notes: [...(dataset.notes ?? []), ...(doubt ? [doubt.text] : []), ...notesOnThresholds(thresholds)],
    noteOptions: doubt ? { ...dataset.noteOptions, [doubt.text]: doubt.option ?? {} } : dataset.noteOptions,
    layers: options.perLayer === true ? await layersInside(providers, dataset, options) : [],
    verdicts,
    conclusion: conclusionOf({ data, providers }),
    passed:
      verdicts.every(({ passed, binding }) => passed || !binding) &&
      providers.every((row) => row.status !== 'failed') &&
      providers.some((row) => row.status === 'ran'),
  } satisfies Report);
}

/**
 * Measures both models on each provider. The models are closed at the end, before inner tensors need the memory. Throws as
 * `validateModels` does.
 */
async function measureProviders(options: ValidationOptions) {
  const baseline = await openBoth(options.cpu, options);
  try {
    checkInputs(baseline);
    const { inputs, outputs } = baseline.original;
    const made = options.data(inputs, outputs);
    const dataset = await runnableNoise(baseline.original, made).catch(async (error: unknown) => {
      throw await withNoiseAdvice(error, made);
    });
    return await measureWith(dataset, baseline, options).catch(async (error: unknown) => {
      throw await withNoiseAdvice(error, dataset);
    });
  } finally {
    await closeBoth(baseline);
  }
}

/** Returns the error of a run on noise with the advice to give samples or shapes; any other error as it is. */
async function withNoiseAdvice(error: unknown, { source, feeds }: Dataset<Feeds>): Promise<unknown> {
  const isBare = error instanceof OnnxMishError && error.code === 'run-failed' && error.fix === undefined;
  if (!isBare || source !== 'seed') return error;
  const shapes = Object.entries((await firstFeed(feeds)) ?? {}).map(
    ([name, { dims }]) => `'${name}' [${dims}]`,
  );
  const fix = `It was fed noise for ${shapes.join(', ')}: give samples, or the shapes of its inputs`;
  return withDetails(error, { fix, option: { data: null, shapes: null } });
}

/** Measures both models, which are open on the CPU, with samples. */
async function measureWith(dataset: Dataset<Feeds>, baseline: Both<Session>, options: ValidationOptions) {
  const { original, cpu, session, signal, onProgress = () => {} } = options;
  const onCpu = { provider: cpu, session, signal };
  const doubt = await sampleDoubt(original.model, dataset, onCpu, baseline.original);
  if (doubt !== undefined) options.onDoubt?.(doubt);
  const rows = new Map<Provider, ProviderRow>();
  const isCpu = ({ name }: Provider) => name === cpu.name;
  // The CPU comes first, to time its first run: later its sessions also run as the others' reference.
  for (const provider of options.providers.toSorted((a, b) => Number(isCpu(b)) - Number(isCpu(a)))) {
    onProgress(`measuring on ${provider.name}`);
    const row = isCpu(provider)
      ? await measure(provider, baseline, undefined, dataset, options)
      : await measureElsewhere(provider, baseline, dataset, options);
    rows.set(provider, row);
    options.onRow?.(row);
  }
  return { providers: options.providers.flatMap((provider) => rows.get(provider) ?? []), dataset, doubt };
}

/** Throws `bad-data` unless both models have inputs of the same names, types and ranks: both get the same feeds. */
function checkInputs({ original, swapped }: Both<Session>): void {
  const list = ({ inputs }: Session, sizes: (dims: Session['inputs'][number]['dims']) => string) =>
    inputs.map(({ name, elemType, dims }) => `'${name}' (${elemType}${sizes(dims)})`).toSorted();
  const both = (sizes: Parameters<typeof list>[1]) => [list(original, sizes), list(swapped, sizes)] as const;
  const isEqual = ([before, after]: ReturnType<typeof both>) => before.join() === after.join();
  const types = both(() => '');
  if (isEqual(types) && isEqual(both(({ length }) => ` ${length}`))) return;
  const [before, after] = isEqual(types) ? both((dims) => ` [${dims.join(', ')}]`) : types;
  throw new OnnxMishError(
    'bad-data',
    `the inputs of the swapped model are ${after.join(', ')}, and those of the original ${before.join(', ')}`,
    { fix: 'Give a model and its swapped model' },
  );
}

async function describeData(dataset: Dataset<Feeds>): Promise<Report['data']> {
  const first = (await firstFeed(dataset.feeds)) ?? {};
  const shapes = Object.fromEntries(Object.entries(first).map(([name, { dims }]) => [name, [...dims]]));
  const runs = dataset.feeds.length;
  return {
    source: dataset.source,
    seed: dataset.seed ?? null,
    runs,
    samples: await countSamples(dataset, dataset.feeds),
    shapes,
    sha256: await hashFeeds(dataset.feeds),
    labelled: labelsOf(dataset) !== undefined,
  };
}
