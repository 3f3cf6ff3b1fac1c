/** Kind of a file that is not an ONNX model, with advice. */
export interface Sniffed {
  readonly what: string;
  readonly fix: string;
}

interface Signature extends Sniffed {
  readonly matches: (head: Uint8Array, text: string) => boolean;
}

const at = (offset: number, ascii: string) => (_: Uint8Array, text: string) => text.startsWith(ascii, offset);
const UNPACK = 'Unpack it and pass the .onnx file inside';

const SIGNATURES: readonly Signature[] = [
  {
    matches: (head) => head.length === 0,
    what: 'the file is empty',
    fix: 'Check that the export or download finished',
  },
  {
    matches: at(4, 'ORTM'),
    what: 'this is a model in ORT format, which ONNX Runtime has already optimised',
    fix: 'Pass the .onnx file it was made from, and convert the swapped model again',
  },
  {
    matches: at(4, 'TFL3'),
    what: 'this is a TensorFlow Lite model',
    fix: 'Convert it with tf2onnx first (python -m tf2onnx.convert --tflite)',
  },
  {
    matches: at(0, 'version https://git-lfs'),
    what: 'this is a Git LFS pointer, not the model itself',
    fix: 'Fetch the model with `git lfs pull`',
  },
  {
    matches: at(0, 'PK\x03\x04'),
    what: 'this is a zip archive (a PyTorch .pt file is one too)',
    fix: `${UNPACK}, or export the model to ONNX`,
  },
  { matches: at(0, '\x1f\x8b'), what: 'this is a gzip archive', fix: UNPACK },
  { matches: at(0, '\x28\xb5\x2f\xfd'), what: 'this is a Zstandard archive', fix: UNPACK },
  { matches: at(0, '\xfd7zXZ'), what: 'this is an xz archive', fix: UNPACK },
  {
    matches: at(0, '\x89HDF'),
    what: 'this is an HDF5 file (a Keras model, perhaps)',
    fix: 'Convert it with tf2onnx first',
  },
  {
    matches: (head) => head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5,
    what: 'this is a Python pickle (an old PyTorch file, perhaps)',
    fix: 'Export the model to ONNX with torch.onnx.export',
  },
  {
    matches: (_, text) => /^\s*(<!doctype html|<html|<head)/i.test(text),
    what: 'this is an HTML page, probably an error or login page saved under the name of the model',
    fix: 'Download the file itself, not the page about it',
  },
  {
    matches: (_, text) => /^\s*[{[]/.test(text) && isText(text),
    what: 'this is JSON text, not a binary ONNX model',
    fix: 'Pass the .onnx file',
  },
  {
    matches: (_, text) => text.length > 0 && isText(text),
    what: 'this is a text file, not a binary ONNX model',
    fix: 'Pass the .onnx file (convert a textual .onnxtxt model with Python’s onnx package)',
  },
];

function isText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters, and bytes that start no character, tell binary from text
  return !/[\x00-\x08\x0e-\x1f\x7f]|^[\x80-\xc1\xf5-\xff]/.test(text);
}

/** Recognises a file that is not ONNX by its first few hundred bytes; undefined for an unknown kind. */
export function sniff(head: Uint8Array): Sniffed | undefined {
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join('');
  return SIGNATURES.find((signature) => signature.matches(head, text));
}
