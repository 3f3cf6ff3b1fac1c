// Notes that few models need, loaded on demand.
import { MISH, type NewActivation } from './new-activation.js';

/** Maximum size of a protobuf message in bytes: ONNX Runtime and Python's onnx refuse larger files. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** Returns a line, with the remedy, if a model is too large for ONNX Runtime. */
export function noteOnSize(bytes: number): string[] {
  if (bytes <= MAX_MESSAGE_BYTES) return [];
  return [
    `${bytes.toLocaleString('en-US')} bytes are more than protobuf’s 2 GiB, and ONNX Runtime refuses such a file; store its weights as external data`,
  ];
}

/** Returns the note on the sites that -Infinity reaches. */
export function noteOnMinusInfinity(
  sites: readonly { readonly minusInfinity?: string | undefined }[],
  { label, atMinusInfinity }: NewActivation = MISH,
): string[] {
  const reached = sites.filter(({ minusInfinity }) => minusInfinity !== undefined);
  const [first] = reached;
  if (first === undefined || atMinusInfinity === undefined) return [];
  const many = reached.length === 1 ? 'a site' : `${reached.length} sites`;
  return [
    `the constant -Infinity '${first.minusInfinity}' reaches ${many}, where ReLU gives 0 and ${label} gives ${atMinusInfinity}; use a finite number instead, such as -10000`,
  ];
}
