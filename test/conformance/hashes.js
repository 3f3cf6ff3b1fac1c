// Swaps the models that it is told of, JSON [{ path, form }] on standard input, and prints the SHA-256 of each output: in a
// process of its own, so that nothing of another run can be in it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { swap } from '../../dist/index.js';

const hashes = [];
for (const { path, form } of JSON.parse(await text(process.stdin))) {
  const { output } = await swap(new Uint8Array(readFileSync(path)), { form });
  hashes.push(
    createHash('sha256')
      .update(await output.bytes())
      .digest('hex'),
  );
}
console.log(JSON.stringify(hashes));
