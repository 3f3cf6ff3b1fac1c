import { integer, plural } from '../../base/plural.js';
import type { ModelInfo, Report, Verdict } from '../../validate/report-schema.js';
import {
  accuracyMeasures,
  differenceWithInterval,
  figure,
  firstMeasures,
  isRequested,
  judgedOutput,
  verdictText,
  verdictWord,
} from '../figures.js';
import { SOFTWARE, summarise } from '../summary.js';
import { htmlDocument } from './document.js';
import { driftChart, kernelChart, layersChart } from './error-charts.js';
import { latencyChart, ratioChart } from './latency-charts.js';
import { Charts, FactList, Name, Pill, Table } from './parts.js';
import { profileCharts } from './profile-charts.js';
import { ProviderCard } from './provider.js';

/** Returns an HTML page with one report, whose text must be printable. */
export async function reportPage(report: Report): Promise<string> {
  const { original, swapped } = report.models;
  const { speed, outputs, kernels, layers, profiles } = await drawAll(report);
  return htmlDocument(
    `${original.name} against ${swapped.name}`,
    <>
      <Head report={report} />
      <h2>Providers at a glance</h2>
      {report.notes.map((note) => (
        <p key={note} class="soft">
          <Name text={note} longest={1000} />
        </p>
      ))}
      <div class="wide">
        {report.providers.length === 0 ? <p>No provider was requested.</p> : <SummaryTable report={report} />}
      </div>
      <Charts title="Speed" charts={speed} />
      <Charts title="Outputs" charts={outputs} />
      <Accuracy report={report} />
      <Charts title="Kernels" charts={kernels} />
      <Charts title="Inside the models" charts={layers} />
      <Charts title="Where the time goes" charts={profiles} />
      {report.providers.length > 0 && <h2>Providers</h2>}
      <div class="grid">
        {report.providers.map((row, index) => (
          <ProviderCard key={row.provider} row={row} verdict={summarise(report)[index]?.verdict ?? ''} />
        ))}
      </div>
      <Verdicts report={report} />
    </>,
  );
}

async function drawAll(report: Report) {
  const { providers } = report;
  const drift = providers.flatMap(({ provider, drift }) =>
    drift.map((one) => ({ series: provider, drift: one })),
  );
  const expected = providers.flatMap(({ provider, expected }) =>
    (expected ?? []).map((one) => ({ series: provider, drift: one })),
  );
  const parity = providers.flatMap(({ provider, parity }) =>
    (['original', 'swapped'] as const).flatMap((model) =>
      (parity?.[model] ?? []).map((one) => ({ series: `${provider}, ${model}`, drift: one })),
    ),
  );
  const groups = [drift, parity, expected].filter((lines) => lines.length > 0).length;
  const speed = await Promise.all([latencyChart(providers), ratioChart(providers)]);
  const outputs = await Promise.all([
    driftChart('Drift', 'Swapped against original, both on the same provider.', drift, groups === 1),
    driftChart('Parity with the CPU', 'Each model against itself on the CPU.', parity),
    driftChart('Against the expected outputs', 'The original against what the test case expects.', expected),
  ]);
  const kernels = await Promise.all(providers.map((row) => kernelChart(row, providers.length === 1)));
  const profiles = await Promise.all(
    providers.map(({ provider, profile }) => (profile === null ? [] : profileCharts(provider, profile))),
  );
  return {
    speed: speed.filter((chart) => chart !== undefined),
    outputs: outputs.filter((chart) => chart !== undefined),
    kernels: kernels.filter((chart) => chart !== undefined),
    layers: await Promise.all(report.layers.map(layersChart)),
    profiles: profiles.flat(),
  };
}

function Head({ report }: { report: Report }) {
  const { models, data, host, created, tool, passed, verdicts, providers } = report;
  const words = verdicts.map(verdictWord);
  const count = (word: string) => words.filter((one) => one === word).length;
  const ran = providers.filter(({ status }) => status === 'ran').length;
  const isLimited = verdicts.some(isRequested);
  const headline = passed ? (isLimited ? 'limits kept' : undefined) : 'did not pass';
  return (
    <header>
      <p class="eyebrow">
        {tool.name} <Name text={tool.version} />, {created}
      </p>
      <h1>
        <Name text={models.original.name} /> <i>→</i> <Name text={models.swapped.name} />
      </h1>
      {report.conclusion !== undefined && <p class="conclusion">{report.conclusion}</p>}
      <div class="overall">
        {headline !== undefined && <Pill word={headline} />}
        <span>
          {ran} of {providers.length} providers ran; {count('pass')} of {words.length - count('finding')}{' '}
          {isLimited ? 'limits kept' : 'checks of kernels and parity passed; no limit was set'}
          {count('finding') > 0 && `; ${plural(count('finding'), 'finding')}`}
        </span>
      </div>
      <Failures report={report} />
      <h2>Models and data</h2>
      <div class="grid facts">
        <Model title="Original" model={models.original} />
        <Model title="Swapped" model={models.swapped} />
        <section class="card">
          <h3>Data</h3>
          <FactList
            facts={{
              source: data.source === 'seed' ? `seeded noise (seed ${data.seed})` : data.source,
              samples: `${integer(data.samples)} in ${plural(data.runs, 'run')}${data.labelled ? ', labelled' : ''}`,
              shapes: Object.entries(data.shapes).map(([name, dims]) => (
                <div key={name}>
                  <Name text={name} longest={24} />: {dims.join(' × ') || 'scalar'}
                </div>
              )),
              'SHA-256': <Hash text={data.sha256} />,
            }}
          />
        </section>
        <section class="card">
          <h3>Host</h3>
          <FactList
            facts={{
              processor: `${host.cpu}, ${host.cores} cores`,
              memory: host.memory === 0 ? null : `${figure(host.memory / 2 ** 30)} GiB`, // not every browser tells
              system: `${host.os}, ${host.arch}`,
              runtimes: `Node ${host.node}, ONNX Runtime ${host.onnxruntime}`,
            }}
          />
        </section>
      </div>
    </header>
  );
}

const isFailure = (verdict: Verdict) => verdictWord(verdict) === 'FAIL';

/** Lists the providers that failed and the limits that are not kept. */
function Failures({ report: { providers, verdicts } }: { report: Report }) {
  const failed = providers.filter(({ status }) => status === 'failed');
  const missed = verdicts.filter(isFailure);
  if (failed.length + missed.length === 0) return null;
  return (
    <>
      <h2>What failed</h2>
      <div class="wide">
        <Table
          head={['verdict', 'provider', 'what']}
          rows={[
            ...failed.map(({ provider, reason }) => [
              <Pill word="failed" />,
              provider,
              <Name text={reason ?? ''} longest={600} />,
            ]),
            ...missed.map((verdict) => [<Pill word="FAIL" />, verdict.provider, verdictText(verdict)]),
          ]}
        />
      </div>
    </>
  );
}

function Model({ title, model }: { title: string; model: ModelInfo }) {
  return (
    <section class="card">
      <h3>{title}</h3>
      <FactList
        facts={{
          size: `${figure(model.bytes / 1e6)} MB, opset ${model.opset}`,
          activations:
            model.kinds.length === 0
              ? model.activations
              : model.kinds.map(({ kind, alpha, elemType, count }) => (
                  <div key={`${kind} ${alpha} ${elemType}`}>
                    {count} <Name text={kind} />
                    {alpha !== null && ` (${figure(alpha)})`}, <Name text={elemType} />
                  </div>
                )),
          Mish:
            model.mish.length === 0
              ? 'none'
              : model.mish.map(({ form, beta, alpha, elemType, count }) => (
                  <div key={`${form} ${beta} ${alpha} ${elemType}`}>
                    {count} in <Name text={form} /> form, <Name text={elemType} />
                    {beta !== 1 && `, β ${figure(beta)}`}
                    {alpha !== null && `, in a mixture with ${figure(alpha)} x`}
                  </div>
                )),
          'SHA-256': <Hash text={model.sha256} />,
        }}
      />
    </section>
  );
}

function Hash({ text }: { text: string }) {
  return <code title={text}>{text.slice(0, 16)}…</code>;
}

function SummaryTable({ report }: { report: Report }) {
  return (
    <Table
      head={[
        'provider',
        'verdict',
        'drift SQNR',
        'parity SQNR',
        'kernel max abs',
        'original p50',
        'swapped p50',
        'ratio (95 %)',
        'runtime',
      ]}
      rows={summarise(report).map((row) => [
        row.provider,
        <Pill word={row.verdict} />,
        decibels(row.drift),
        decibels(row.parity),
        row.kernel,
        milliseconds(row.original, row.software),
        milliseconds(row.swapped, row.software),
        row.software ? (
          <>
            <span class="nowrap">{row.ratio}</span>
            <div class="soft">{SOFTWARE}</div>
          </>
        ) : (
          <span class="nowrap">{row.ratio}</span>
        ),
        row.runtime,
      ])}
    />
  );
}

const decibels = (text: string) => (/\d$/.test(text) ? `${text} dB` : text);

function milliseconds(text: string, software: boolean) {
  if (text === '–') return text;
  return (
    <>
      <span class="nowrap">{text} ms</span>
      {software && <div class="soft">{SOFTWARE}</div>}
    </>
  );
}

function Verdicts({ report: { verdicts } }: { report: Report }) {
  if (verdicts.length === 0) return null;
  return (
    <>
      <h2>Verdicts</h2>
      <div class="wide">
        <Table
          head={['verdict', 'provider', 'limit']}
          rows={verdicts.map((verdict) => [
            <Pill word={verdictWord(verdict)} />,
            verdict.provider,
            verdictText(verdict),
          ])}
        />
        <p class="soft">A finding is for information: it does not change the verdict.</p>
      </div>
    </>
  );
}

function Accuracy({ report: { providers } }: { report: Report }) {
  const measures = firstMeasures(providers);
  const rows = providers.flatMap(({ provider, accuracy }) =>
    accuracy === null
      ? []
      : [
          ...(['original', 'swapped'] as const).map((model) => {
            const texts = accuracyMeasures(accuracy[model]).map(({ text }) => text);
            return [
              ...[provider, model, judgedOutput(accuracy.output, accuracy.threshold)],
              ...[...texts, accuracy[model].n],
            ];
          }),
          ...(accuracy.difference === undefined
            ? []
            : [
                [
                  ...[provider, 'swapped minus original', accuracy.output],
                  <span class="nowrap">{differenceWithInterval(accuracy.difference)}</span>,
                  ...[...measures.slice(1).map(() => ''), accuracy.original.n],
                ],
              ]),
        ],
  );
  if (rows.length === 0) return null;
  return (
    <>
      <h3 class="above">Labelled accuracy</h3>
      <div class="wide">
        <Table
          head={[
            ...['provider', 'model', 'output'],
            ...measures.map(({ name, hasInterval }) => (hasInterval ? `${name} (95 % interval)` : name)),
            'samples',
          ]}
          rows={rows}
        />
      </div>
    </>
  );
}
