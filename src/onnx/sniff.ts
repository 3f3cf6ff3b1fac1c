/** Kind of a file that is not an ONNX model, with advice. */
export interface Sniffed {
  readonly what: string;
  readonly fix: string;
}

interface Signature extends Sniffed {
  readonly matches: (head: Uint8Array, text: string) => boolean;
}

/** Matches characters at an offset. A shorter file has to match as far as it goes, in two characters at least. */
const at = (offset: number, ascii: string) => (head: Uint8Array, text: string) =>
  text.startsWith(ascii.slice(0, Math.max(2, head.length - offset)), offset);
/** Recognises a format by the first characters of its files. */
const format = (start: string, name: string, fix = 'Pass the .onnx file'): Signature => ({
  matches: at(0, start),
  what: `this is ${name}, not an ONNX model`,
  fix,
});
const UNPACK = 'Unpack it and pass the .onnx file inside';
const EXPORT = 'Export the model to ONNX with torch.onnx.export';

/** The first bytes of a model: numbers and types of ModelProto’s fields. */
const FIRST_BYTES = [0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca, 0xd2];

/** The start of an HTML page, after a byte order mark, comments and XML’s declaration. */
const HTML =
  /^(\xef\xbb\xbf)?\s*((<!--((?!-->)[\s\S])*-->|<\?xml[^>]*>)\s*)*<(!doctype html|html|head|body|title)/i;

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
    matches: (_, text) => text.startsWith('version https://git-lfs'),
    what: 'this is a Git LFS pointer, not the model itself',
    fix: 'Fetch the model with `git lfs pull`',
  },
  ...['PK\x03\x04', 'PK\x05\x06'].map((start) =>
    format(start, 'a zip archive (a PyTorch .pt file is one too)', `${UNPACK}, or export the model to ONNX`),
  ),
  format('\x1f\x8b', 'a gzip archive', UNPACK),
  format('\x28\xb5\x2f\xfd', 'a Zstandard archive', UNPACK),
  format('\xfd7zXZ\0', 'an xz archive', UNPACK),
  format('BZh', 'a bzip2 archive', UNPACK),
  format('7z\xbc\xaf\x27\x1c', 'a 7-Zip archive', UNPACK),
  format('Rar!\x1a\x07', 'a RAR archive', UNPACK),
  format('\x89PNG\r\n\x1a\n', 'a PNG image'),
  format('\xff\xd8\xff', 'a JPEG image'),
  format('GIF8', 'a GIF image'),
  format('RIFF', 'a WebP image or another RIFF file'),
  format('%PDF-', 'a PDF document'),
  format('\x93NUMPY', 'a NumPy array'),
  format('GGUF', 'a GGUF model', EXPORT),
  format('\x89HDF\r\n\x1a\n', 'an HDF5 file (a Keras model, perhaps)', 'Convert it with tf2onnx first'),
  {
    matches: (_, text) => /^BM[\s\S]{4}\0{4}/.test(text),
    what: 'this is a BMP image, not an ONNX model',
    fix: 'Pass the .onnx file',
  },
  {
    matches: (_, text) => /^[\s\S]{4}\0{4}\{"/.test(text),
    what: 'this is a safetensors file, which has weights and no graph',
    fix: EXPORT,
  },
  {
    matches: (head) => head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5,
    what: 'this is a Python pickle (an old PyTorch file, perhaps)',
    fix: EXPORT,
  },
  {
    matches: (_, text) => HTML.test(text),
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
  {
    matches: ([first = 0]) => !FIRST_BYTES.includes(first),
    what: 'this is not an ONNX model: no model begins with these bytes',
    fix: 'Check that this is the .onnx file, and that it was downloaded or exported whole',
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
