import { useMemo } from 'preact/hooks';
import type { FinetuneEpoch } from '../../../finetune/options.js';
import type { Training } from './finetune-state.js';
import { LearningCurves, type LearningSeries } from './learning-curves.js';

const ARMS = [
  ['swapped', 'Mish', '--accent'],
  ['original', 'original', '--line-2'],
] as const;

/** Shows loss and accuracy of both arms, epoch by epoch. */
export function FinetuneCurves({ training: { epochs, choice } }: { readonly training: Training }) {
  const series = useMemo(() => seriesOf(epochs), [epochs]);
  return <LearningCurves series={series} epochs={choice.epochs} scoredOn="validation part" />;
}

function seriesOf(epochs: readonly FinetuneEpoch[]): LearningSeries[] {
  return ARMS.map(([arm, label, colour]) => {
    const mine = epochs.filter((one) => one.arm === arm);
    return {
      ...{ label, colour, before: mine[0]?.before ?? null },
      epochs: mine.map(({ epoch }) => ({ ...epoch, score: epoch.validation })),
    };
  });
}
