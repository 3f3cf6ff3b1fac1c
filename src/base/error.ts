/** What went wrong, for a program to act on. */
export type ErrorCode =
  /** An option or argument that cannot be used. */
  | 'bad-usage'
  /** The file cannot be read or written. */
  | 'io'
  /** The file is something else than an ONNX model. */
  | 'not-onnx'
  /** It starts like an ONNX model and then breaks. */
  | 'malformed'
  /** External data that is missing or that must not be followed. */
  | 'external-data'
  /** The form cannot be written in this model: its opset or element type lacks an operator. */
  | 'unsupported-form'
  /** A plan that does not fit the model. */
  | 'bad-plan'
  /** There is nothing to undo, or the file has changed since. */
  | 'cannot-undo'
  /** `--strict`, and something was skipped. */
  | 'skipped'
  /** A budget that no swap keeps. */
  | 'over-budget'
  /** Samples, labels or shapes that do not fit the model. */
  | 'bad-data'
  /** An execution provider that was asked for is not there. */
  | 'provider-unavailable'
  /** ONNX Runtime refused the model or failed to run it. */
  | 'run-failed'
  /** Stopped by the caller. */
  | 'aborted';

export interface ErrorDetails {
  /** Where: a file, a byte offset, a node or a tensor. */
  where?: string | undefined;
  /** What the user can do about it. */
  fix?: string | undefined;
  cause?: unknown;
}

/** What anything thrown has to say. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The one error this package throws: what is wrong, where, and what to do. */
export class OnnxMishError extends Error {
  override readonly name = 'OnnxMishError';
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string | undefined;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    const { where, fix, cause } = details;
    super(`${where === undefined ? '' : `${where}: `}${what}${fix === undefined ? '' : `. ${fix}`}`, {
      cause,
    });
    this.code = code;
    this.what = what;
    this.where = where;
    this.fix = fix;
  }
}
