import { useMemo } from 'preact/hooks';
import type { FinetuneEpoch } from '../../../finetune/options.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import type { Training } from './finetune-state.js';
import { LearningCurves, type LearningSeries } from './learning-curves.js';

/** Shows loss and accuracy of both arms, epoch by epoch. */
export function FinetuneCurves({ training: { epochs, begun, choice } }: { readonly training: Training }) {
  const written = choice.swap.to === undefined ? 'Mish' : ACTIVATIONS[choice.swap.to].label;
  const series = useMemo(() => seriesOf(epochs, begun, written), [epochs, begun, written]);
  return <LearningCurves series={series} epochs={choice.epochs} scoredOn="validation part" />;
}

function seriesOf(
  epochs: readonly FinetuneEpoch[],
  begun: Training['begun'],
  written: string,
): LearningSeries[] {
  const arms = [
    ['swapped', written, '--accent'],
    ['original', 'original', '--line-2'],
  ] as const;
  return arms.map(([arm, label, colour]) => {
    const mine = epochs.filter((one) => one.arm === arm);
    return {
      label,
      colour,
      before: mine[0]?.before ?? null,
      begun: begun.filter((one) => one.arm === arm),
      epochs: mine.map(({ epoch }) => ({ ...epoch, score: epoch.validation })),
    };
  });
}
