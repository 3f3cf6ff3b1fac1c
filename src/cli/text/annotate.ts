import { standardError } from './stdout.js';
import { clean } from './text.js';

/** Marks that GitHub Actions shows beside a run. */
export type AnnotationKind = 'error' | 'warning' | 'notice';

/**
 * Prints an annotation of GitHub Actions to standard error, if a workflow runs this command. The runner reads workflow commands
 * from both streams, and standard output may be JSON.
 */
export function annotate(kind: AnnotationKind, message: string, file?: string | undefined): void {
  if (process.env.GITHUB_ACTIONS !== 'true') return;
  const place = file === undefined ? '' : `file=${escapedProperty(file)},`;
  standardError().write(`::${kind} ${place}title=onnx-mish::${escaped(message)}\n`);
}

/** Escapes text as GitHub's runner reads it; `clean` leaves no line breaks. */
const escaped = (text: string) => clean(text).replaceAll('%', '%25');

const escapedProperty = (text: string) => escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
