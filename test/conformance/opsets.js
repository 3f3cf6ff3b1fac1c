// `npm run conformance:opsets -- [folder]`: every model below the folder (Debian's libonnx-testdata), raised to every opset that
// it can be raised to, gives on ONNX Runtime what it gave, and undo gives its bytes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededFeeds } from '../../dist/data/dataset.js';
import { undo } from '../../dist/index.js';
import { opsetObstacle } from '../../dist/mish/raise-opset.js';
import { retargetDocument } from '../../dist/mish/retarget-document.js';
import { opsetOf } from '../../dist/onnx/document.js';
import { scan } from '../../dist/onnx/scan.js';
import { nodeProvider } from '../../dist/providers/node/provider.js';

const root = process.argv[2] ?? '/usr/share/libonnx-testdata';
/** The newest opset that ONNX Runtime 1.30 runs. */
const NEWEST = 24;
const cpu = nodeProvider('cpu');
const counts = { models: 0, raised: 0, equal: 0, newlyRefused: 0, wrong: 0 };
const byOperator = new Map();
for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
  if (!path.endsWith('.onnx')) continue;
  const bytes = new Uint8Array(readFileSync(join(root, path)));
  const document = await scan(bytes).catch(() => undefined);
  if (document === undefined) continue;
  const from = opsetOf(document.graph);
  const before = await outputsOf(bytes).catch(() => undefined);
  if (before === undefined) continue;
  counts.models++;
  for (let to = from + 1; to <= NEWEST; to++) {
    if (opsetObstacle(document, to) !== undefined) continue;
    counts.raised++;
    const { output } = await retargetDocument(document, { form: 'exp', opset: to });
    const after = await output.bytes();
    if (Buffer.compare(await (await undo(after)).bytes(), bytes) !== 0)
      console.log(`${path} ${to}: undo differs`);
    const got = await outputsOf(after, before.feed).catch((error) => error);
    const ops = document.graph.nodes.map(({ opType }) => opType).join();
    if (got instanceof Error) {
      counts.newlyRefused++;
      note(ops, `${from} → ${to}: ${got.message.slice(-160)}`);
    } else if (same(before.outputs, got.outputs)) counts.equal++;
    else {
      counts.wrong++;
      note(ops, `${from} → ${to}: WRONG (${path})`);
    }
  }
}
for (const [ops, lines] of byOperator) console.log(ops.slice(0, 80), lines.length, lines[0]);
console.log(counts);

function note(ops, line) {
  byOperator.set(ops, [...(byOperator.get(ops) ?? []), line]);
}

async function outputsOf(model, known) {
  const session = await cpu.open(model);
  try {
    const feed = known ?? seededFeeds(session.inputs, { seed: 1, count: 1 }).feeds[0];
    return { feed, outputs: await session.run(feed) };
  } finally {
    await session.close();
  }
}

function same(a, b) {
  return Object.keys(a).every((name) => {
    const [one, other] = [a[name], b[name]];
    return (
      String(one.dims) === String(other?.dims) &&
      Array.from(one.data).every((value, at) => {
        const there = other.data[at];
        if (Object.is(value, there) || typeof value !== 'number') return String(value) === String(there);
        return Number.isNaN(value)
          ? Number.isNaN(there)
          : Math.abs(value - there) <= 1e-5 * Math.max(1, Math.abs(value));
      })
    );
  });
}
