import type { Advice } from '../../../base/option-hint.js';
import { withCommand } from '../in-command.js';

/** Shows notes as sentences; nothing without notes. */
export function NoteList({ notes }: { readonly notes: readonly Advice[] }) {
  if (notes.length === 0) return null;
  return (
    <ul class="quiet remarks">
      {notes.map(({ text, option }) => (
        <li key={text}>{`Note: ${withCommand(text, option)}.`}</li>
      ))}
    </ul>
  );
}
