import { integer } from '../../base/plural.js';
import type { PlacementRow, ProviderRow } from '../../validate/report-schema.js';
import { figure, short } from '../figures.js';
import { ratioText, SOFTWARE } from '../summary.js';
import { FactList, Name, Pill, Table } from './parts.js';

/** Maximum characters of a message, enough for one of ONNX Runtime. */
const MAX_CHARACTERS = 600;

/** Shows the facts of one provider that are not in charts. */
export function ProviderCard({ row, verdict }: { row: ProviderRow; verdict: string }) {
  const { provider, reason, fix, runtime, notes, retargeted, placement, parting, latency, profile } = row;
  return (
    <section class="card">
      <div class="head">
        <h3>
          <Name text={provider} />
        </h3>
        <Pill word={verdict} />
      </div>
      {reason !== null && (
        <p>
          <Name text={reason} longest={MAX_CHARACTERS} />
        </p>
      )}
      {fix !== null && (
        <p>
          <b>Fix:</b> <Name text={fix} longest={MAX_CHARACTERS} />
        </p>
      )}
      <FactList
        facts={{
          runtime: runtime && `${runtime.name} ${runtime.version}`,
          browser: runtime?.browser ?? null,
          renderer: runtime?.renderer ?? null,
          GPU: runtime?.software ? <Pill word={SOFTWARE} /> : null,
          threads: runtime?.threads ?? null,
          SIMD: runtime?.simd == null ? null : runtime.simd ? 'yes' : 'no',
          'retargeted to': retargeted && `${short(retargeted)} form, in memory`,
          latency: latency && (
            <>
              {figure(latency.original.p50)} → {figure(latency.swapped.p50)} ms, {ratioText(latency.ratio)}
              {runtime?.software && `, ${SOFTWARE}`}
            </>
          ),
          'Mish takes': profile && `${figure(profile.mishUs)} µs per run`,
          'lost fusion': profile && `${figure(profile.lostFusionUs)} µs per run`,
          ...divergences(parting),
        }}
      />
      {notes.length > 0 && (
        <ul class="notes">
          {notes.map((note) => (
            <li key={note}>
              <Name text={note} longest={MAX_CHARACTERS} />
            </li>
          ))}
        </ul>
      )}
      {placement !== null && (
        <>
          <Moved title="original" placement={placement.original} />
          <Moved title="swapped" placement={placement.swapped} />
        </>
      )}
    </section>
  );
}

function divergences(parting: ProviderRow['parting']) {
  return Object.fromEntries(
    (['original', 'swapped'] as const).map((model) => {
      const at = parting[model];
      return [
        `${model} diverges at`,
        at && (
          <>
            <Name text={at.node} /> (<Name text={at.op} />
            ), SQNR {figure(at.sqnr)} dB, max abs {figure(at.maxAbs)}
          </>
        ),
      ];
    }),
  );
}

function Moved({ title, placement: { counts, moved } }: { title: string; placement: PlacementRow }) {
  const where = Object.entries(counts).map(([name, count]) => `${integer(count)} on ${short(name)}`);
  const line = `Nodes of the ${title}: ${where.join(', ') || 'unknown'}`;
  if (moved.length === 0) return <p class="soft">{line}</p>;
  return (
    <details>
      <summary>
        {line}; {integer(moved.length)} ran elsewhere
      </summary>
      <Table
        head={['node', 'operator', 'ran on']}
        rows={moved.map(({ node, op, provider }) => [node, op, provider])}
      />
    </details>
  );
}
