import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import type { OnnxDocument } from '../onnx/document.js';
import { concat, metadataField } from '../onnx/encode.js';
import { scan } from '../onnx/scan.js';
import { readMetadata } from '../onnx/scan-metadata.js';
import { type ModelInput, openInput } from '../onnx/source.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { DIGEST_FROM_END, inversePatch } from '../onnx/undo-record.js';
import type { restore, Undone } from './restore.js';

/** The metadata_props entry that says what was done, as JSON. */
const RECORD = 'onnx-mish';
/** The entry from which `undo` restores the bytes that were there before. */
const UNDO = 'onnx-mish.undo';

/** One thing done to a model. */
export interface Operation {
  readonly operation: 'swap' | 'retarget' | 'fold' | 'fix' | 'fix-relu' | 'calibrate' | 'opset';
  /** Version of onnx-mish that did it. */
  readonly version: string;
  readonly form: string;
  /** Sharpness; 1 is Mish. For `fold`, the one that is in the weights now. Absent where each site kept its own. */
  readonly beta?: number;
  /** How many of the sites became a mixture and not Mish itself; absent where none did. */
  readonly mixtures?: number;
  /** How many of the sites have their sharpness in the weights around them; absent where none has. */
  readonly folded?: number;
  /** Number of sites rewritten; for `opset`, of nodes and imports; for `calibrate`, of layers whose weights were solved anew. */
  readonly sites: number;
}

/** What onnx-mish has done to this model so far, oldest first. A record it cannot read counts as none. */
export function history(document: OnnxDocument): Operation[] {
  const entry = document.metadata.find(({ key }) => key === RECORD);
  if (entry === undefined) return [];
  try {
    const operations: unknown = JSON.parse(entry.value).operations;
    return Array.isArray(operations) ? operations.filter(isOperation) : [];
  } catch {
    return [];
  }
}

const OPERATIONS: readonly Operation['operation'][] = [
  'swap',
  'retarget',
  'fold',
  'fix',
  'fix-relu',
  'calibrate',
  'opset',
];

function isOperation(value: unknown): value is Operation {
  if (typeof value !== 'object' || value === null) return false;
  const { operation, form, sites } = value as Partial<Operation>;
  return (
    OPERATIONS.includes(operation as Operation['operation']) &&
    typeof form === 'string' &&
    typeof sites === 'number' &&
    // Nothing in it is nested, or it could be nested too deeply to be written again.
    Object.values(value).every((one) => typeof one !== 'object')
  );
}

/**
 * Applies the edits, and appends the record of the operations and, if wanted, what undoes them all at once. An
 * operation on no site leaves no record; without any, the output is the source, byte for byte.
 */
export async function spliceWithRecord(
  document: OnnxDocument,
  edits: readonly Edit[],
  operations: readonly Omit<Operation, 'version'>[],
  undoable: boolean,
): Promise<Spliced> {
  const { source } = document;
  const done = operations.filter(({ sites }) => sites > 0);
  if (done.length === 0) return splice(source, []);
  const old: Edit[] = document.metadata
    .filter(({ key }) => key === RECORD || key === UNDO)
    .map(({ span }) => ({ ...span, bytes: new Uint8Array(0), frame: undefined }));
  const changes = [...edits, ...old];
  const all = [...history(document), ...done.map((operation) => ({ ...operation, version: VERSION }))];
  const entries = [metadataField(RECORD, JSON.stringify({ operations: all }))];
  if (undoable) {
    const record = await inversePatch(splice(source, changes), document.structure);
    entries.push(metadataField(UNDO, record));
  }
  const end = source.size;
  const output = splice(source, [...changes, { start: end, end, bytes: concat(entries), frame: undefined }]);
  return undoable ? { ...output, seal: output.size - DIGEST_FROM_END } : output;
}

export type { Undone };

/** What is said of an undo. */
export interface UndoReport extends Pick<Undone, 'proof' | 'notes'> {
  readonly bytes: number;
}

export function undoReport({ size, proof, notes }: Undone): UndoReport {
  return { bytes: size, proof, notes };
}

/**
 * The model as it was before the last swap, retarget or fix, byte for byte.
 * Throws `cannot-undo` when there is no record or the file has been changed since.
 *
 * @example
 * import { swap, undo } from 'onnx-mish';
 *
 * const { output } = await swap(bytes);
 * const original = await (await undo(await output.bytes())).bytes();
 */
export async function undo(input: ModelInput): Promise<Undone> {
  const source = await openInput(input);
  const metadata = await readMetadata(source).catch(() => []);
  const record = recordIn(metadata);
  return record === undefined ? undoDocument(await scan(source)) : restored(source, record);
}

/** `undo` for a document that has been scanned already. */
export async function undoDocument(document: OnnxDocument): Promise<Undone> {
  const { source, metadata } = document;
  const record = recordIn(metadata);
  if (record === undefined) {
    const calibrated = history(document).some(({ operation }) => operation === 'calibrate');
    throw new OnnxMishError('cannot-undo', 'the model has no record of what it was before', {
      where: source.name,
      fix: calibrated
        ? 'Its weights were calibrated, and the old ones are gone: go back to the original file'
        : 'It was never swapped, or without one',
      option: calibrated ? undefined : { undo: false },
    });
  }
  return restored(source, record, document);
}

/** The file before; a page that undoes nothing does not load what that takes. */
const restored = async (...given: Parameters<typeof restore>): Promise<Undone> =>
  (await import('./restore.js')).restore(...given);

const recordIn = (metadata: OnnxDocument['metadata']) => metadata.find(({ key }) => key === UNDO)?.value;
