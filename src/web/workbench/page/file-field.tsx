import { useLayoutEffect, useRef } from 'preact/hooks';
import type { NamedFile } from '../protocol.js';
import { named } from './files.js';
import { isSame } from './is-same.js';
import { LabelledField } from './parts.js';

/** Shows a file input that has the files of the page, also those that were dropped or came from another input. */
export function FileField(props: {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  /** File types, as in the attribute of that name. */
  readonly accept: string;
  readonly multiple?: boolean;
  readonly files: readonly NamedFile[];
  readonly onFiles: (files: NamedFile[]) => unknown;
}) {
  const { id, label, hint, accept, multiple = false, files, onFiles } = props;
  const input = useRef<HTMLInputElement>(null);
  /** The files that the input has. */
  const shown = useRef<readonly NamedFile[]>([]);
  useLayoutEffect(() => {
    if (isSame(files, shown.current) || input.current === null) return;
    const transfer = new DataTransfer();
    for (const { name, blob } of files)
      transfer.items.add(blob instanceof File ? blob : new File([blob], name));
    input.current.files = transfer.files;
    shown.current = files;
  });
  return (
    <LabelledField id={id} label={label} hint={hint}>
      <input
        id={id}
        type="file"
        ref={input}
        accept={accept}
        multiple={multiple}
        aria-describedby={`${id}-note`}
        onChange={({ currentTarget }) => {
          const chosen = named(currentTarget.files);
          shown.current = chosen;
          onFiles(chosen);
        }}
      />
    </LabelledField>
  );
}
