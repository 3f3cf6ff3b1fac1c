import { VERSION } from '../base/version.js';
import { countSamples, type Dataset, type Feeds, firstFeed } from '../data/dataset.js';
import { hashFeeds } from '../data/hash-feeds.js';
import { labelsOf } from '../data/labels.js';
import { sampleDoubt } from '../data/sample-doubt.js';
import type { Provider, Session } from '../providers/provider.js';
import type { Both } from './compare.js';
import { conclusionOf } from './conclusion.js';
import { layersInside } from './layer-reports.js';
import { closeBoth, measure, measureElsewhere, openBoth } from './measure.js';
import { withDataset } from './open-dataset.js';
import type { ValidationOptions } from './options.js';
import { type ProviderRow, parseReport, REPORT_SCHEMA, type Report } from './report-schema.js';
import { checkThresholds, judge, notesOnThresholds } from './thresholds.js';
import { floatsOf } from './tolerance.js';

/**
 * Compares a swapped model with its original on each provider: kernel error, drift of every output,
 * parity with the CPU, labelled accuracy, latency. A provider that is missing or fails gets a row with the reason.
 * Throws `bad-data` if feeds and models do not fit, `run-failed` if a model does not run on the CPU,
 * `bad-usage` for a threshold that is not finite or out of range, `aborted`.
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
    return await withDataset(baseline, options, (dataset) => measureWith(dataset, baseline, options));
  } finally {
    await closeBoth(baseline);
  }
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
