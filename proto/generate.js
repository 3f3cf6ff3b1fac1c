// Generates onnx.js, a table of the messages, and onnx.d.ts, their types, from onnx.proto3. Run it with `npm run proto`.
// With a folder as its argument it writes there instead; the test that the committed code is current does.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? here;
const schema = join(here, 'onnx.proto3');

/** What every message and enum is called below the package's namespace. */
const pathOf = ({ fullName }) => fullName.replace(/^\.onnx\./, '');

/** A line for message.js: `7 floats float[packed]`. */
function line(field) {
  const { id, name, repeated, packed, partOf } = field.resolve();
  const { resolvedType } = field;
  // An enum travels as the number that it is.
  const type =
    resolvedType === null
      ? field.type
      : resolvedType instanceof protobuf.Enum
        ? 'int32'
        : pathOf(resolvedType);
  const isPacked = packed && protobuf.types.packed[type] !== undefined;
  const list = repeated ? (isPacked ? '[packed]' : '[]') : '';
  return `${id} ${name} ${type}${list}${partOf === null ? '' : `|${partOf.name}`}`;
}

function* tables(namespace) {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Enum) yield [pathOf(nested), nested.values];
    else {
      const fields = [...nested.fieldsArray].sort((a, b) => a.id - b.id);
      yield [pathOf(nested), fields.map(line).join('\n')];
      yield* tables(nested);
    }
  }
}

// The types are those of protobufjs's own code, whose place message.js takes; they are read off its doc comments.
const cli = dirname(createRequire(import.meta.url).resolve('protobufjs-cli/package.json'));
execFileSync(process.execPath, [
  join(cli, 'bin/pbjs'),
  ...'-t static-module -w esm --dependency protobufjs/minimal.js --force-number'.split(' '),
  ...'--no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service -d'.split(' '),
  ...['-o', join(out, 'onnx.js'), schema],
]);
const types = readFileSync(join(out, 'onnx.d.ts'), 'utf8')
  .replace(/^import Long.*\n/m, '')
  .replace('from "protobufjs/minimal.js"', 'from "./wire.js"')
  .replaceAll(/ *\* @throws \{\$protobuf\.util\..*\n/g, '');
if (/\bLong\b/.test(types)) throw new Error('onnx.d.ts needs Long after all'); // --force-number is there for that
writeFileSync(join(out, 'onnx.d.ts'), types);

const root = new protobuf.Root().loadSync(schema).resolveAll();
const entries = [...tables(root.lookup('onnx'))].map(([path, table]) => {
  const text = typeof table === 'string' ? `\`${table}\`` : JSON.stringify(table);
  return `  '${path}': ${text},\n`;
});
writeFileSync(
  join(out, 'onnx.js'),
  `// Made by generate.js from onnx.proto3.
import { define } from './message.js';

export const onnx = define({
${entries.join('')}});
`,
);
