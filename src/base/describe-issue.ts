/** A field that does not fit a schema, as zod reports it. */
interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Describes the first field that does not fit: `sites.0.label: Invalid input`. The document itself has no name. */
export function describeIssue([issue]: readonly Issue[]): string {
  if (issue === undefined) return '';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
