import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { sampledInputs, samplesOf } from '../../src/train/model-samples.js';
import { model, node, value } from '../support/model.js';

/** Samples of a class, whose members are not the object's own. */
class Ones {
  readonly #digest: string;
  readonly elemType: string;
  constructor(elemType: string, digest: string) {
    this.elemType = elemType;
    this.#digest = digest;
  }
  get count(): number {
    return 3;
  }
  get inputs() {
    return { x: { elemType: this.elemType, dims: [2] } };
  }
  read({ length }: ArrayLike<number>, { x }: Tensors): void {
    for (let at = 0; at < 2 * length; at++) (x?.data as Float64Array)[at] = 1;
  }
  async digest(): Promise<string> {
    return this.#digest;
  }
}

test.each(['f32', 'f64'])(
  'samples of a class in %s keep their number, numbers and digest',
  async (elemType) => {
    const types: Record<string, number> = { f32: 1, f64: 11 };
    const bytes = model({
      nodes: [node('Identity', ['x'], ['y'])],
      inputs: [value('x', types[elemType] ?? 1, ['N', 2])],
      outputs: [value('y', types[elemType] ?? 1, ['N', 2])],
    });
    const samples = samplesOf(
      { inputs: new Ones(elemType, 'abc'), targets: [0, 1, 0] },
      sampledInputs(await scan(bytes)),
    );
    const x = { elemType: 'f32', dims: [3, 2], data: new Float32Array(6) };
    await samples.read(Uint32Array.of(0, 1, 2), { x });
    expect(samples.inputs).toEqual({ x: { elemType: 'f32', dims: [2] } });
    expect([samples.count, Array.from(x.data), await samples.digest?.()]).toEqual([
      3,
      [1, 1, 1, 1, 1, 1],
      'abc',
    ]);
  },
);
