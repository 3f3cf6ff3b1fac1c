import type { StepEvent } from '../protocol.js';

/** Minimum milliseconds between two reports of progress, which cost messages between workers. */
const PROGRESS_MS = 100;
/** Seconds before the speed of a step is known. */
const MIN_SECONDS = 1;

/**
 * Returns a function that reports a step, its finished share and the time left of the step. Steps of one `work` share a clock;
 * by default each step has its own, because each has a different speed.
 */
export function clockedSteps(
  onEvent: (event: StepEvent) => void,
  now: () => number = () => performance.now(),
): (step: string, done: number, of: number, work?: string) => void {
  let current = { work: '', text: '', begin: 0, last: Number.NEGATIVE_INFINITY };
  return (text, done, of, work = text) => {
    const time = now();
    if (work !== current.work) current = { ...current, work, begin: time };
    if (text === current.text && done < of && time - current.last < PROGRESS_MS) return;
    current = { ...current, text, last: time };
    const share = of > 0 ? done / of : 0;
    const seconds = (time - current.begin) / 1000;
    const known = share > 0 && share < 1 && seconds >= MIN_SECONDS;
    onEvent({ kind: 'step', text, share, secondsLeft: known ? (seconds * (1 - share)) / share : undefined });
  };
}
