import { useMemo } from 'preact/hooks';
import { plural } from '../../../base/plural.js';
import { quantile } from '../../../metrics/statistics.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import { figure, verdictText, verdictWord } from '../../../render/figures.js';
import { remarks } from '../../../render/remarks.js';
import { SOFTWARE, summarise } from '../../../render/summary.js';
import type { PageProvider } from '../protocol.js';
import { Accuracies } from './accuracies.js';
import { Legend } from './chart.js';
import { isSame } from './is-same.js';
import { LatencyStrip } from './latency-strip.js';
import { type Parts, PROVIDER_NAMES, ProblemNote, TableBox } from './parts.js';
import { ReportButtons } from './report-buttons.js';
import { choiceOf, isSameSamples, type PageRun, type PairTimes, type Row } from './state.js';

const nameOf = (provider: string) =>
  (PROVIDER_NAMES as Readonly<Record<string, string>>)[provider] ?? provider;

/** Shows the results of a run so far, and its report at the end. */
export function ResultsSection({ state, actions }: Parts) {
  const { run, model } = state;
  if (run === null || model === null) return null;
  const name = model.name.replace(/\.onnx$/i, '');
  const isCurrent = isSame(run.choice, choiceOf(state)) && isSameSamples(run.feed, state.feed);
  const old = run.ended !== 'no' && !isCurrent;
  const { report } = run;
  return (
    <section class="card" aria-labelledby="results-title">
      <h2 id="results-title">
        Original and swapped
        <small>
          {run.choice.to === undefined
            ? `form ${run.choice.form}, β\u00a0${run.choice.beta}, ${plural(run.choice.sites.length, 'site')}`
            : `${ACTIVATIONS[run.choice.to].label}, ${plural(run.choice.sites.length, 'site')}`}
        </small>
      </h2>
      {old && (
        <p class="quiet">These results belong to an earlier choice: run both again for the current one.</p>
      )}
      {report?.conclusion !== undefined && <p class="done">{report.conclusion}</p>}
      <Failures verdicts={report?.verdicts ?? []} />
      <Accuracies rows={run.rows} nameOf={nameOf} />
      <div class="latencies">
        {run.providers.map((provider) => (
          <Latency key={provider} provider={provider} run={run} />
        ))}
      </div>
      {run.rows.length > 0 && (
        <>
          <div class="latencies">
            <Bars title="Drift: swapped against original" rows={run.rows} of={({ drift }) => drift} />
            <Bars
              title="Parity: the swapped model against itself on WASM"
              rows={run.rows}
              of={({ parity }) => parity?.swapped ?? []}
            />
          </div>
          <Table rows={run.rows} verdicts={report?.verdicts ?? []} />
          <Remarks rows={run.rows} verdicts={report?.verdicts ?? []} notes={report?.notes ?? []} />
        </>
      )}
      {report !== null && (
        <div class="bar">
          <ReportButtons name={`${name}.report`} report={report} html={() => actions.html()} />
        </div>
      )}
      <ProblemNote problem={state.problems.export} />
    </section>
  );
}

/** Shows the distribution of one provider's times while they are measured. */
function Latency({ provider, run }: { readonly provider: PageProvider; readonly run: PageRun }) {
  const pairs: PairTimes = run.pairs[provider] ?? [];
  const row = run.rows.find((one) => one.provider === provider);
  const models = useMemo(
    () => [
      { label: 'original', colour: '--line-1', times: pairs.map(([original]) => original) },
      { label: 'swapped', colour: '--accent', times: pairs.map(([, swapped]) => swapped) },
    ],
    [pairs],
  );
  const failed = row !== undefined && row.status !== 'ran';
  const software = row?.runtime?.software === true ? ` (${SOFTWARE})` : '';
  return (
    <figure>
      <figcaption>
        <h3>{`${nameOf(provider)}${software}`}</h3>
        {!failed && (
          <progress
            max={run.wanted}
            value={pairs.length}
            aria-label={`${nameOf(provider)}: pairs of runs that are timed`}
          />
        )}
      </figcaption>
      {failed ? (
        <p class="problem sentence">
          {row.reason}. {row.fix !== null && `${row.fix}.`}
        </p>
      ) : pairs.length === 0 ? (
        <p class="quiet">{run.ended === 'no' ? 'Not measured yet.' : 'Not measured.'}</p>
      ) : (
        <>
          <LatencyStrip
            label={`Times of ${plural(pairs.length, 'pair')} of runs on ${nameOf(provider)}, on a logarithmic axis.`}
            models={models}
          />
          <Legend lines={models} />
          <p>
            {`Median ${models.map(({ times }) => `${figure(quantile(times, 0.5))} ms`).join(' → ')}`}
            <span class="quiet">
              {` of ${plural(pairs.length, 'pair')}; a tick is a run, the bar the middle half, the dot the median`}
            </span>
          </p>
        </>
      )}
    </figure>
  );
}

/** SQNR in dB of the longest bar; float32 itself has about as much. */
const MAX_SQNR_DB = 150;

/** Shows the worst SQNR of each provider as bars, with the figures beside them. */
function Bars(props: {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly of: (row: Row) => Row['drift'];
}) {
  const rows = props.rows.filter((row) => row.status === 'ran' && props.of(row).length > 0);
  if (rows.length === 0) return null;
  return (
    <figure>
      <figcaption>
        <h3>{props.title}</h3>
      </figcaption>
      <ul class="bars">
        {rows.map((row) => {
          const drifts = props.of(row);
          const broken = drifts.some(({ problem, broken }) => problem !== null || broken > 0);
          const worst = Math.min(...drifts.map(({ sqnr, maxAbs }) => sqnr ?? (maxAbs === 0 ? Infinity : 0)));
          const part = broken ? 0 : Math.min(1, Math.max(0.005, worst / MAX_SQNR_DB));
          return (
            <li key={row.provider}>
              <span>{nameOf(row.provider)}</span>
              <span class="track" aria-hidden="true">
                <span style={{ width: `${100 * part}%` }} />
              </span>
              <b>{broken ? 'not comparable' : worst === Infinity ? 'exact' : `${figure(worst)} dB`}</b>
            </li>
          );
        })}
      </ul>
    </figure>
  );
}

function Table({ rows, verdicts }: TableProps) {
  const lines = summarise({ providers: [...rows], verdicts });
  return (
    <TableBox label="Table of results">
      <table>
        <caption>
          Worst output by signal to noise ratio (SQNR, dB); largest error of Mish’s kernel; medians in
          milliseconds
        </caption>
        <thead>
          <tr>
            {['Provider', 'Verdict', 'Drift', 'Parity', 'Kernel', 'Original', 'Swapped', 'Ratio (95 %)'].map(
              (head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.provider}>
              <th scope="row">{`${nameOf(line.provider)}${line.software ? `, ${SOFTWARE}` : ''}`}</th>
              <td>{line.verdict}</td>
              {[line.drift, line.parity, line.kernel, line.original, line.swapped, line.ratio].map(
                (cell, at) => (
                  <td key={`${at} ${cell}`} class="number">
                    {cell}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

/** Shows the limits that decide the report's verdict and are broken. */
function Failures({ verdicts }: Pick<TableProps, 'verdicts'>) {
  const missed = verdicts.filter((verdict) => verdictWord(verdict) === 'FAIL');
  if (missed.length === 0) return null;
  return (
    <ul class="problem remarks">
      {missed.map((verdict) => {
        const { provider, threshold, value } = verdict;
        const isParity = threshold === 'maxParity' && value !== null;
        return (
          <li key={`${provider} ${threshold}`}>
            {isParity
              ? `${nameOf(provider)} computes other values than WASM: they differ by up to ${figure(100 * value)} % of the largest value.`
              : `${nameOf(provider)}: ${verdictText(verdict)}.`}
          </li>
        );
      })}
    </ul>
  );
}

/** Lists the notes of the report, other broken limits, and the remarks on each provider. */
function Remarks({ rows, verdicts, notes }: TableProps & { readonly notes: readonly string[] }) {
  const findings = verdicts
    .filter((verdict) => verdictWord(verdict) === 'finding')
    .map((verdict) => `${nameOf(verdict.provider)}: ${verdictText(verdict)}`);
  const lines = [
    ...notes.map((note) => `Note: ${note}.`),
    ...findings,
    ...rows.filter(({ status }) => status === 'ran').flatMap(remarks),
  ];
  return (
    <ul class="quiet remarks">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

interface TableProps {
  readonly rows: readonly Row[];
  readonly verdicts: NonNullable<PageRun['report']>['verdicts'];
}
