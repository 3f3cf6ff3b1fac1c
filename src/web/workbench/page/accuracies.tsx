import { capitalised } from '../../../base/in-words.js';
import { integer } from '../../../base/plural.js';
import { accuracyMeasures, differenceWithInterval } from '../../../render/figures.js';
import type { ProviderRow } from '../../../validate/report-schema.js';
import type { Row } from './state.js';
import { TextTable } from './text-table.js';

const HEAD = ['On', 'Original (95 %)', 'Swapped (95 %)', 'Swapped − original (95 %)', 'Samples'];

/** Shows the accuracy of both models by the labels, and their paired difference; nothing without labels. */
export function Accuracies(props: {
  readonly rows: readonly Row[];
  readonly nameOf: (provider: string) => string;
}) {
  const [main, ...others] = shownMeasures(
    props.rows.find(({ accuracy }) => accuracy !== null)?.accuracy?.original,
  );
  const rows = props.rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { original, swapped, difference } = accuracy;
    const [before, after] = [shownMeasures(original), shownMeasures(swapped)];
    return [
      [
        props.nameOf(provider),
        before[0]?.text ?? '–',
        after[0]?.text ?? '–',
        difference === undefined ? '–' : differenceWithInterval(difference),
        ...others.map((_, at) => `${before[at + 1]?.text ?? '–'} → ${after[at + 1]?.text ?? '–'}`),
        integer(original.n),
      ],
    ];
  });
  if (rows.length === 0) return null;
  const titles = others.map(({ name }) => capitalised(name));
  const head = HEAD.toSpliced(-1, 0, ...titles);
  const caption = main?.name === 'top-1' ? 'Top-1 accuracy by the labels' : `Share of ${main?.name}`;
  return <TextTable label="Accuracy" caption={caption} head={head} rows={rows} />;
}

/** Returns the measures that the page shows; top-5 is left to the report. */
const shownMeasures = (accuracy: NonNullable<ProviderRow['accuracy']>['original'] | undefined) =>
  accuracy === undefined ? [] : accuracyMeasures(accuracy).filter(({ name }) => name !== 'top-5');
