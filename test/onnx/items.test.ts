import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { tempFolder } from '../support/folder.js';
import { around, many, type Place, packed, repeatedFields } from '../support/items.js';

// Every repeated field of the schema, as long as a file allows: what is kept is counted before it is kept.

const isHeavy = process.env.MODE === 'heavy';
const CHILD = fileURLToPath(new URL('../support/item-child.js', import.meta.url));
const run = promisify(execFile);

/** Fields of which nothing is kept in memory, by their last two names. */
const SKIPPED =
  /(metadataProps|trainingInfo|configuration|deviceConfigurations|quantizationAnnotation|attributeProto)$/;
/** Metadata of a model and of a value is read. */
const READ =
  /^ModelProto\.metadataProps$|(input|output|graph\.valueInfo|functions\.valueInfo)\.metadataProps$/;

const isKept = ({ name, isData }: Place) => !isData && (READ.test(name) || !SKIPPED.test(name));

const places = repeatedFields();
const [BUDGET, COUNT] = isHeavy ? [undefined, 30_000_000] : [2_000, 30_000];
const BYTES = 4 * COUNT;

/** What becomes of a model: an error's code and message, or `ok`. */
async function outcome(bytes: Uint8Array): Promise<string> {
  if (!isHeavy) {
    return scan(bytes, BUDGET).then(
      () => 'ok',
      (error: { code: string; what: string }) => `${error.code}: ${error.what}`,
    );
  }
  const folder = await tempFolder();
  const path = await folder.write('m.onnx', bytes);
  const { stdout } = await run(process.execPath, [CHILD, path], { timeout: 300_000 });
  const { says, seconds, mebibytes } = JSON.parse(stdout);
  console.log(says, `${seconds.toFixed(1)} s`, `${mebibytes} MiB`);
  expect(seconds).toBeLessThan(10);
  expect(mebibytes).toBeLessThan(1024);
  return says;
}

const ERROR = /^malformed: (the model has more than \d+ nodes or similar parts|it has no operator)$/;

test('the places are those of the schema', () => {
  expect(places.length).toBeGreaterThan(80);
  for (const name of ['graph.initializer.dims', 'node.attribute.strings', 'functions.opsetImport'])
    expect(places.some((place) => place.name.endsWith(name))).toBe(true);
  expect(places.filter(isKept).length).toBeGreaterThan(40);
});

describe.each(places.map((place) => [place.name, place] as const))('%s', (_, place) => {
  const timeout = isHeavy ? 600_000 : 20_000;

  test('many elements, each a field: one error where they are kept', { timeout }, async () => {
    const says = await outcome(around(place, many(place, COUNT)));
    if (isKept(place)) expect(says).toMatch(ERROR);
    else expect(says).toBe('ok');
  });

  if (!place.isPackable && !place.isData) return;
  // Long lists of an attribute are skipped over: nothing that reads them has a use for so many.
  const skipped = place.isData || !isKept(place) || /attribute\.(floats|ints)$/.test(place.name);
  test('one long field', { timeout }, async () => {
    const says = await outcome(around(place, packed(place, BYTES)));
    if (skipped) expect(says).toBe('ok');
    else expect(says).toMatch(ERROR);
  });
});

describe('as many as a model may have', () => {
  const dims = places.find(({ name }) => name.endsWith('graph.initializer.dims'));

  test('elements of one message up to the budget are kept, and not one more', async () => {
    if (dims === undefined) throw new Error('there are no dims');
    // Parts: the model, twenty for the graph, three for the initializer. Eight elements of each message are not counted.
    const most = 100;
    expect(
      (await scan(around(dims, many(dims, most - 24 + 8)), most)).graph.initializers.get('')?.dims,
    ).toHaveLength(most - 24 + 8);
    await expect(scan(around(dims, many(dims, most - 24 + 9)), most)).rejects.toMatchObject({
      code: 'malformed',
    });
  });
});
