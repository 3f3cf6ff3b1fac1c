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

// ONNX's reference schema is proto2, where a string may hold any bytes; proto3 code would refuse the file.
const lenient = readFileSync(js, 'utf8').replaceAll('.stringVerify()', '.string()');

// --force-number types 64-bit integers as numbers, yet the reader returns Long wherever `long` is installed.
const helper = 'const $number = (value) => (typeof value === "number" ? value : value.toNumber());';
const listHelper =
  'const $numbers = (list) => { for (let i = 0; i < list.length; i++) list[i] = $number(list[i]); };';
const numeric = lenient
  .replaceAll(/reader\.(u?int64)\(\)/g, '$number(reader.$1())')
  .replaceAll(/\$util\.Long \? \$util\.Long\.fromBits\(0,\s?0,\s?false\) : 0/g, '0') // fields that are not there
  .replaceAll(/reader\.(u?int64)s\((message\.\w+)\);/g, '$numbers(reader.$1s($2));'); // packed lists
writeFileSync(
  js,
  numeric.replace('const $Reader', () => `${helper}\n${listHelper}\nconst $Reader`),
);

// With --force-number nothing in the types needs Long.
const types = readFileSync(dts, 'utf8').replace(/^import Long.*\n/m, '');
if (/\bLong\b/.test(types)) throw new Error('onnx.d.ts needs Long after all');
writeFileSync(dts, types);
