import { expect, test } from 'vitest';
import { withDataFile } from '../../src/finetune/data-file.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { splice } from '../../src/onnx/splice.js';
import { weightEdit, weightOf } from '../../src/onnx/weights.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { externalModel } from '../support/external.js';

/** Data files that earlier trainings under the same name may have left. */
const LEFT = ['m.onnx.data', 'M.ONNX.DATA', 'm.onnx.trained.data', 'm.onnx.trained.2.data', 'weights.bin'];

test('a new data file has the name of no file that the model reads', async () => {
  for (let choice = 0; choice < 2 ** LEFT.length; choice++) {
    const read = LEFT.filter((_, at) => choice & (1 << at));
    const original = await modelFromBytes(externalModel('weights.bin', ...read));
    const { document } = original;
    const weight = weightOf(indexGraphs(document), document.graph, 'bias');
    if (weight === undefined) throw new Error('the model has a weight');
    const trained = splice(document.source, [
      await weightEdit(document, weight, Float32Array.of(1, 2, 3, 4)),
    ]);
    const { data } = await withDataFile(trained, original, 'm.onnx');
    expect(data?.bytes).toEqual(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    const taken = read.map((name) => name.toLowerCase());
    expect(taken).not.toContain(data?.location.toLowerCase());
  }
});
