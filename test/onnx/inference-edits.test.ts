import { expect, test } from 'vitest';
import { inferenceEdits } from '../../src/onnx/inference-edits.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { model, node } from '../support/model.js';
import { int, len } from '../support/wire.js';

/** Attributes in their encoding. */
const ATTRIBUTES = {
  momentum: [...len(1, 'momentum'), ...int(20, 1), ...len(17, '0.9')],
  training_mode: [...len(1, 'training_mode'), ...int(3, 1), ...int(20, 2)],
  odd: [...len(1, 'odd'), ...len(8, [1, 2, 3]), ...int(20, 7)],
};
type Name = keyof typeof ATTRIBUTES;

test.each<[Name[]]>([
  [['training_mode']],
  [['momentum', 'training_mode', 'odd']],
  [['odd', 'momentum', 'training_mode']],
  [['odd', 'odd', 'training_mode', 'momentum']],
])('of the attributes %j, only the training mode goes', async (names) => {
  const norm = [
    ...['x', 's', 'b', 'm', 'v'].flatMap((name) => [...len(1, name)]),
    ...['y', 'mean', 'variance'].flatMap((name) => [...len(2, name)]),
    ...len(4, 'BatchNormalization'),
    ...names.flatMap((name) => [...len(5, ATTRIBUTES[name])]),
  ];
  const bytes = Uint8Array.from([...model({ nodes: [node('Relu', ['y'], ['z'])] }), ...len(7, len(1, norm))]);
  const document = await scan(bytes);
  const edited = await scan(await splice(document.source, await inferenceEdits(document)).bytes());
  const [, written] = edited.graph.nodes;
  expect(written?.outputs).toEqual(['y']);
  expect(written?.attributes.map(({ name }) => name)).toEqual(
    names.filter((name) => name !== 'training_mode'),
  );
});
