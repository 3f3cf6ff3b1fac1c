import {
  accuracyWithInterval,
  differenceWithInterval,
  hasPlaceAccuracy,
  iouText,
} from '../../../render/figures.js';
import type { Row } from './state.js';
import { TextTable } from './text-table.js';

const HEAD = ['On', 'Original (95 %)', 'Swapped (95 %)', 'Swapped − original (95 %)', 'Samples'];

/** Shows the accuracy of both models by the labels, and their paired difference; nothing without labels. */
export function Accuracies(props: {
  readonly rows: readonly Row[];
  readonly nameOf: (provider: string) => string;
}) {
  const areOfPlaces = hasPlaceAccuracy(props.rows);
  const rows = props.rows.flatMap(({ provider, accuracy }) => {
    if (accuracy === null) return [];
    const { original, swapped, difference } = accuracy;
    const iou = `${iouText(original.meanIou)} → ${iouText(swapped.meanIou)}`;
    return [
      [
        props.nameOf(provider),
        accuracyWithInterval(original.top1, original.n, original.top1Interval),
        accuracyWithInterval(swapped.top1, swapped.n, swapped.top1Interval),
        difference === undefined ? '–' : differenceWithInterval(difference),
        ...(areOfPlaces ? [iou] : []),
        original.n.toLocaleString('en'),
      ],
    ];
  });
  if (rows.length === 0) return null;
  const head = areOfPlaces ? HEAD.toSpliced(-1, 0, 'Mean IoU') : HEAD;
  const caption = areOfPlaces ? 'Share of right places by the labels' : 'Top-1 accuracy by the labels';
  return <TextTable label="Accuracy" caption={caption} head={head} rows={rows} />;
}
