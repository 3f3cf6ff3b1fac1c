import type { Ranking } from '../../calibrate/select/ranking.js';
import {
  concludeRanking,
  describeDrawn,
  RANKING_HEAD,
  rankingRows,
  writtenActivation,
} from '../ranking-figures.js';
import { htmlDocument } from './document.js';
import { FactList, Name, Table } from './parts.js';

/** Returns an HTML page with the ranking of a model's sites, whose text must be printable. */
export async function rankingPage(ranking: Ranking): Promise<string> {
  const { model, sites, skipped, data, spearman } = ranking;
  return htmlDocument(
    `Sites of ${model.name}, ranked`,
    <>
      <p class="eyebrow">onnx-mish rank</p>
      <h1>
        Sites of <Name text={model.name} longest={120} />, from harmless to harmful
      </h1>
      <p class="conclusion">{concludeRanking(ranking)}</p>
      <div class="wide">
        <FactList
          facts={{
            samples: <span>{describeDrawn(data)}</span>,
            written: <span>{writtenActivation(ranking)}</span>,
            estimate:
              spearman === null ? null : (
                <span>{`ranks like the measurement with a Spearman correlation of ${spearman.toFixed(2)}`}</span>
              ),
          }}
        />
      </div>
      <h2>Sites</h2>
      <div class="wide">
        {sites.length === 0 ? <p>The model has no site to swap.</p> : <RankedSites ranking={ranking} />}
        <p class="soft">
          Each site was swapped alone. SQNR: signal to noise of the output that moved most, in dB; the larger,
          the less harm. Agreement: share of rows whose top class stays. Accuracy: its change by the labels,
          in percentage points.
        </p>
      </div>
      <Skipped sites={skipped} />
    </>,
  );
}

function RankedSites({ ranking }: { readonly ranking: Ranking }) {
  return (
    <Table
      head={RANKING_HEAD}
      rows={rankingRows(ranking).map(([rank = '', site = '', ...cells]) => [
        rank,
        <Name text={site} />,
        ...cells,
      ])}
    />
  );
}

/** Lists the activations that stay, with the reasons. */
export function Skipped({ sites }: { readonly sites: Ranking['skipped'] }) {
  if (sites.length === 0) return null;
  return (
    <>
      <h2>Skipped</h2>
      <div class="wide">
        <Table
          head={['activation', 'kind', 'why']}
          rows={sites.map(({ label, kind, why }) => [
            <Name text={label} />,
            kind,
            <Name text={why} longest={300} />,
          ])}
        />
      </div>
    </>
  );
}
