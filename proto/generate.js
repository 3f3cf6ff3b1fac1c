// Generates onnx.js and onnx.d.ts from onnx.proto3. Run it with `npm run proto`.
// With a folder as its argument it writes there instead; the test that the committed code is current does.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? here;
const cli = dirname(createRequire(import.meta.url).resolve('protobufjs-cli/package.json'));
const js = join(out, 'onnx.js');
const dts = join(out, 'onnx.d.ts');

const pbjs = (...flags) =>
  execFileSync(process.execPath, [
    join(cli, 'bin/pbjs'),
    ...'-t static-module -w esm --dependency protobufjs/minimal.js --force-number'.split(' '),
    ...'--no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service'.split(' '),
    ...flags,
    '-o',
    js,
    join(here, 'onnx.proto3'),
  ]);

pbjs('-d'); // the types are read off the doc comments
pbjs('--no-comments'); // which the code itself can do without

// The runtime is wire.js: ONNX's reference schema is proto2, where a string may hold any bytes, and numbers are numbers.
// What the code says over and over for other cases, it says shorter.
const lean = readFileSync(js, 'utf8')
  .replace('import $protobuf from "protobufjs/minimal.js"', 'import * as $protobuf from "./wire.js"')
  .replaceAll('.stringVerify()', '.string()')
  .replaceAll(/\$util\.Long \? \$util\.Long\.fromBits\(0,\s?0,\s?(?:false|true)\) : 0/g, '0')
  .replaceAll(
    /typeof \(value = (reader\.\w+\(\))\) === "object" \? value\.low \|\| value\.high : value !== 0/g,
    'value = $1',
  )
  .replaceAll(/\(typeof (message\.\w+) === "object" \? \1\.low \|\| \1\.high : \1 !== 0\)/g, '$1 !== 0')
  .replaceAll(
    /message\.\w+ != null && \$Object\.hasOwnProperty\.call\(message, ("\w+")\)/g,
    '$has(message, $1)',
  )
  .replaceAll(/ *if \(_depth === \$undefined\)\n *_depth = 0;\n/g, '')
  .replaceAll('_depth) {', '_depth = 0) {')
  .replaceAll('_depth, _target) {', '_depth = 0, _target) {')
  // The constructor has made the lists.
  .replaceAll(/if \(!\((message\.\w+) && \1\.length\)\)\s+\1 = \[\];\s+/g, '')
  .replaceAll(/ *if \(!reader\.discardUnknown\) \{[^}]*\}\n/g, '') // swaps copy unknown fields, and encode none
  .replaceAll(/ *if \(message\.\$unknowns != null[^;]*;[^;]*;[^;]*;\n/g, '');
const helper =
  'const $has = (message, name) => message[name] != null && Object.prototype.hasOwnProperty.call(message, name);';
writeFileSync(
  js,
  lean.replace('const $Reader', () => `${helper}\nconst $Reader`),
);

// With --force-number nothing in the types needs Long.
const types = readFileSync(dts, 'utf8').replace(/^import Long.*\n/m, '');
if (/\bLong\b/.test(types)) throw new Error('onnx.d.ts needs Long after all');
writeFileSync(dts, types);
