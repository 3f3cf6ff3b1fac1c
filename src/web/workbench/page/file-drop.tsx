import type { ComponentChildren } from 'preact';
import type { NamedFile } from '../protocol.js';
import { named } from './files.js';

/** Takes the files of an input, which is emptied so that the same files can be chosen again. */
export function takeFiles(input: HTMLInputElement): NamedFile[] {
  const files = named(input.files);
  input.value = '';
  return files;
}

/** Shows a file input as an area to drop files on; the drop itself is the page's. */
export function FileDrop(props: {
  readonly id: string;
  /** Whether files are over the page. */
  readonly over: boolean;
  readonly title: string;
  /** Text on the files that it takes. */
  readonly children: ComponentChildren;
  readonly onFiles: (files: NamedFile[]) => void;
}) {
  const { id, over, title, children, onFiles } = props;
  return (
    <label class={over ? 'drop over' : 'drop'}>
      <input
        id={id}
        type="file"
        multiple
        aria-describedby={`${id}-note`}
        onChange={({ currentTarget }) => onFiles(takeFiles(currentTarget))}
      />
      <strong>{title}</strong>
      <span id={`${id}-note`}>{children}</span>
    </label>
  );
}
