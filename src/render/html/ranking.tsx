import type { Ranking } from '../../calibrate/select/ranking.js';
import type { Degradation, Drawn } from '../../calibrate/select/trial.js';
import { figure, percent } from '../figures.js';
import { htmlDocument } from './document.js';
import { FactList, Name, Table } from './parts.js';

/** Returns an HTML page with the ranking of a model's sites, whose text must be printable. */
export async function rankingPage(ranking: Ranking): Promise<string> {
  const { model, sites, skipped, data, form, beta, spearman } = ranking;
  return htmlDocument(
    `Sites of ${model.name}, ranked`,
    <>
      <p class="eyebrow">onnx-mish rank</p>
      <h1>
        Sites of <Name text={model.name} longest={120} />, from harmless to harmful
      </h1>
      <p class="conclusion">{conclusionOf(ranking)}</p>
      <div class="wide">
        <FactList
          facts={{
            samples: <span>{describeDrawn(data)}</span>,
            Mish: <span>{`${form} form${beta === 1 ? '' : `, β = ${beta}`}`}</span>,
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
          the less harm. Agreement: share of rows whose top class stays. Top-1: loss of labelled accuracy, in
          percentage points.
        </p>
      </div>
      <Skipped sites={skipped} />
    </>,
  );
}

function RankedSites({ ranking: { sites } }: { readonly ranking: Ranking }) {
  return (
    <Table
      head={['rank', 'site', 'kind', 'estimate, dB', ...DEGRADATION_HEAD]}
      rows={sites.map(({ label, kind, estimate, measured }, index) => [
        index + 1,
        <Name text={label} />,
        kind,
        estimate === null ? '–' : sqnrText(estimate),
        ...degradationCells(measured ?? estimate),
      ])}
    />
  );
}

function conclusionOf({ sites, data }: Ranking): string {
  const [first, last] = [sites[0], sites.at(-1)];
  const on = describeDrawn(data);
  if (first === undefined || last === undefined) return 'The model has no site to swap.';
  const text = ({ measured, estimate }: (typeof sites)[number]) => {
    const harm = measured ?? estimate;
    if (harm === null) return 'not measured';
    const sqnr = sqnrText(harm);
    return /^-?\d/.test(sqnr) && harm.broken === 0 && harm.problem === null ? `SQNR ${sqnr} dB` : sqnr;
  };
  if (sites.length === 1) return `Swapped alone on ${on}, ${first.label} gives ${text(first)}.`;
  return `Of ${sites.length} sites, each swapped alone on ${on}, ${first.label} does the least harm (${text(first)}) and ${last.label} the most (${text(last)}).`;
}

/** Describes drawn samples: `256 samples (npz)`, or noise. */
export function describeDrawn({ source, samples, noise }: Drawn): string {
  return source === 'seed' ? `${samples} samples of noise (seed ${noise})` : `${samples} samples (${source})`;
}

export const DEGRADATION_HEAD = ['SQNR, dB', 'max abs', 'cosine', 'agreement', 'top-1, points'];

/** Returns the figures of a degradation as cells. */
export function degradationCells(harm: Degradation | null): string[] {
  if (harm === null) return DEGRADATION_HEAD.map(() => '–');
  const { maxAbs, cosine, agreement, top1Drop } = harm;
  return [
    ...[sqnrText(harm), figure(maxAbs), figure(cosine, 4), percent(agreement)],
    top1Drop === null ? '–' : figure(-top1Drop),
  ];
}

function sqnrText({ sqnr, maxAbs, broken, problem }: Degradation): string {
  if (problem !== null) return problem;
  if (broken > 0) return `${broken} not finite`;
  return maxAbs === 0 ? 'exact' : figure(sqnr);
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
