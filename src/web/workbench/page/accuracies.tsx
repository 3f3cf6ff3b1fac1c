import { accuracyWithInterval, differenceWithInterval } from '../../../render/figures.js';
import type { Row } from './state.js';
import { TextTable } from './text-table.js';

const HEAD = ['On', 'Original (95 %)', 'Swapped (95 %)', 'Swapped − original (95 %)', 'Samples'];

/** Shows the accuracy of both models by the labels, and their paired difference; nothing without labels. */
export function Accuracies(props: {
  readonly rows: readonly Row[];
  readonly nameOf: (provider: string) => string;
}) {
  const rows = props.rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { original, swapped, difference } = accuracy;
    return [
      [
        props.nameOf(provider),
        accuracyWithInterval(original.top1, original.n),
        accuracyWithInterval(swapped.top1, swapped.n),
        difference === undefined ? '–' : differenceWithInterval(difference),
        original.n.toLocaleString('en'),
      ],
    ];
  });
  if (rows.length === 0) return null;
  return <TextTable label="Accuracy" caption="Top-1 accuracy by the labels" head={HEAD} rows={rows} />;
}
