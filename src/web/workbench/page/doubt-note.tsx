import type { Doubt } from '../protocol.js';

/** Shows a doubt about samples, and a button that mends them. */
export function DoubtNote(props: {
  readonly doubt: Doubt | null;
  readonly mend: (remedy: NonNullable<Doubt['remedy']>) => void;
}) {
  const { doubt, mend } = props;
  if (doubt === null) return null;
  const { what, remedy } = doubt;
  return (
    <div class="problem doubt">
      <p>
        <strong>{what}</strong>
      </p>
      {remedy !== null && (
        <button type="button" onClick={() => mend(remedy)}>
          {'scale' in remedy
            ? `Multiply the samples by ${remedy.scale}`
            : `Set the standard deviation to ${remedy.std}`}
        </button>
      )}
    </div>
  );
}
