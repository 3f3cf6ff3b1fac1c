import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const x = { elemType: 'f32', dims: [6, 4, 2], data: wave(48, 0.9) };
const targets = { elemType: 'f32', dims: [6, 4, 2], data: wave(48, 0.4) };
const constant = (name: string, dims: number[], values: number[]) =>
  node('Constant', [], [name], { value: { tensor: floats('', dims, values) } });
const twice = (number: number) => [number, number];

/** Trains the only linear layer of a net behind other nodes, and returns what is trained and told. */
async function trained(nodes: onnx.INodeProto[], ...more: onnx.ITensorProto[]) {
  const bytes = model({
    nodes: [node('MatMul', ['x', 'w'], ['h']), ...nodes],
    initializers: [floats('w', [2, 2], [...wave(4, 0.7)]), ints('shape', [3], [0, 2, -1]), ...more],
    inputs: [value('x', 1, ['N', 4, 2])],
    outputs: [value('y', 1, ['N', 4, 2])],
    opset: 17,
  });
  const options = { inputs: { x }, targets, loss: 'mse', provider: nodeProvider('cpu') } as const;
  const trainer = await createTrainer(bytes, options);
  await trainer.close();
  const told = trainer.remarks.filter(({ code }) => code === 'constants-kept').map(({ text }) => text);
  return { names: trainer.trained, told };
}

describe('a constant that no operator marks as a weight stays, and is named', () => {
  test.each<[string, onnx.INodeProto[]]>([
    ['added', [node('Add', ['h', 'p'], ['y'])]],
    ['multiplied', [node('Relu', ['h'], ['r']), node('Mul', ['p', 'r'], ['y'])]],
    ['part of a computed weight', [node('Tanh', ['p'], ['t']), node('Mul', ['h', 't'], ['y'])]],
  ])('%s', async (_, nodes) => {
    const p = floats('p', [4, 2], [...wave(8, 0.3)]);
    expect(await trained(nodes, p)).toEqual({
      names: ['w'],
      told: ["Constants that no operator marks as weights stay as they are: 'p'"],
    });
  });
});

describe('a constant that cannot be rewritten stays, and is named', () => {
  const numbers = { floats: [...wave(2, 0.3)] };
  test.each<[string, onnx.INodeProto[]]>([
    ['a list, added', [node('Add', ['h', 'p'], ['y'])]],
    ['a list, behind an Identity', [node('Identity', ['p'], ['i']), node('Mul', ['h', 'i'], ['y'])]],
  ])('%s', async (_, nodes) => {
    const list = node('Constant', [], ['p'], { value_floats: numbers });
    expect(await trained([list, ...nodes])).toEqual({
      names: ['w'],
      told: ["Constants that no operator marks as weights stay as they are: 'p'"],
    });
  });

  test('but not the scales of a Resize', async () => {
    const scales = node('Constant', [], ['p'], { value_floats: { floats: [1, 1, 1] } });
    const resize = node('Resize', ['h', '', 'p'], ['y'], { mode: 'nearest' });
    expect(await trained([scales, resize])).toEqual({ names: ['w'], told: [] });
  });

  const values = { values: floats('s', [2], [1, 2]), indices: ints('', [2], [0, 3]), dims: [2, 2] };
  test.each(['an initializer', 'a Constant'])('a sparse matrix in %s', async (place) => {
    const attribute = [{ name: 'sparse_value', type: 11, sparseTensor: values }];
    const made = place === 'a Constant' ? [node('Constant', [], ['s'], {}, { attribute })] : [];
    const proto = onnx.ModelProto.decode(
      model({
        nodes: [...made, node('MatMul', ['x', 'w'], ['h']), node('MatMul', ['h', 's'], ['y'])],
        initializers: [floats('w', [2, 2], [...wave(4, 0.7)])],
        inputs: [value('x', 1, ['N', 4, 2])],
        outputs: [value('y', 1, ['N', 4, 2])],
        opset: 17,
      }),
    );
    const graph = { ...proto.graph, ...(made.length === 0 && { sparseInitializer: [values] }) };
    const options = { inputs: { x }, targets, loss: 'mse', provider: nodeProvider('cpu') } as const;
    const trainer = await createTrainer(onnx.ModelProto.encode({ ...proto, graph }).finish(), options);
    await trainer.close();
    expect(trainer.trained).toEqual(['w']);
    expect(trainer.remarks.map(({ text }) => text).join()).toContain("stay as they are: 's'");
  });
});

test('what scales and shifts the inputs is no such constant, but what is added to them is', async () => {
  const x = { elemType: 'f32', dims: [6, 4, 2], data: wave(48, 0.9) };
  const norm = ['mean', 'deviation'].map((name) => floats(name, [1, 1, 2], [0.5, 2]));
  const told = async (last: onnx.INodeProto, ...more: onnx.ITensorProto[]) => {
    const bytes = model({
      nodes: [
        node('Cast', ['x'], ['float'], { to: 1 }),
        node('Sub', ['float', 'mean'], ['centred']),
        node('Div', ['centred', 'deviation'], ['scaled']),
        last,
        node('MatMul', ['ready', 'w'], ['y']),
      ],
      initializers: [floats('w', [2, 2], [...wave(4, 0.7)]), ...norm, ...more],
      inputs: [value('x', 1, ['N', 4, 2])],
      outputs: [value('y', 1, ['N', 4, 2])],
    });
    const trainer = await createTrainer(bytes, {
      ...{ inputs: { x }, targets, loss: 'mse', provider: nodeProvider('cpu') },
    });
    await trainer.close();
    return trainer.remarks.filter(({ code }) => code === 'constants-kept').map(({ text }) => text);
  };
  expect(await told(node('Identity', ['scaled'], ['ready']))).toEqual([]);
  expect(
    await told(node('Add', ['grid', 'scaled'], ['ready']), floats('grid', [4, 2], [...wave(8, 0.4)])),
  ).toEqual(["Constants that no operator marks as weights stay as they are: 'grid'"]);
});

test('masks, and running statistics that exporters pass on, are no such constants', async () => {
  const mask = floats('mask', [4, 2], [0, Number.NEGATIVE_INFINITY, ...wave(6, 0)]);
  expect(
    (await trained([node('Add', ['h', 'mask'], ['m']), node('Softmax', ['m'], ['y'])], mask)).told,
  ).toEqual([]);
  const nodes = [
    node('Identity', ['mean'], ['same']),
    node('Transpose', ['h'], ['t'], { perm: [0, 2, 1] }),
    node('BatchNormalization', ['t', 's', 'b', 'same', 'variance'], ['n']),
    node('Transpose', ['n'], ['y'], { perm: [0, 2, 1] }),
  ];
  const norm = ['s', 'b', 'mean', 'variance'].map((name) => floats(name, [2], [0.5, 2]));
  expect((await trained(nodes, ...norm)).told).toEqual([]);
});

describe('scales of 1 and shifts of 0 that an exporter wrote for a layer without them stay', () => {
  test('as Constant nodes of a normalisation', async () => {
    const nodes = [
      ...[constant('s', [2], twice(1)), constant('b', [2], twice(0))],
      node('LayerNormalization', ['h', 's', 'b'], ['y']),
    ];
    expect(await trained(nodes)).toEqual({ names: ['w'], told: [] });
  });

  test('as Constant nodes behind nodes that pass them on', async () => {
    const nodes = [
      ...[
        constant('s', [1], [1]),
        constant('b', [1], [0]),
        node('LpNormalization', ['h'], ['n'], { axis: 2 }),
      ],
      ...['s', 'b'].map((name) => node('Unsqueeze', [name, 'place'], [`${name}/wide`])),
      node('Mul', ['n', 's/wide'], ['scaled']),
      node('Add', ['scaled', 'b/wide'], ['y']),
    ];
    expect(await trained(nodes, ints('place', [1], [1]))).toEqual({ names: ['w'], told: [] });
  });

  test('inside a group normalisation, whose own scale and shift are trained', async () => {
    const nodes = [
      node('Reshape', ['h', 'shape'], ['groups']),
      node('InstanceNormalization', ['groups', 's', 'b'], ['normal']),
      node('Shape', ['h'], ['whole']),
      node('Reshape', ['normal', 'whole'], ['n']),
      node('Mul', ['n', 'scale'], ['scaled']),
      node('Add', ['scaled', 'shift'], ['y']),
    ];
    const own = [floats('scale', [4, 1], [1, 1, 1, 1]), floats('shift', [4, 1], [0, 0, 0, 0])];
    const inner = [floats('s', [2], twice(1)), floats('b', [2], twice(0))];
    const found = await trained(nodes, ...own, ...inner);
    expect(found).toEqual({ names: ['w', 'scale', 'shift'], told: [] });
  });

  test('as initializers that PyTorch’s newer exporter named, also behind a CastLike', async () => {
    const stored = [floats('val_2', [2], twice(1)), floats('val_13', [2], twice(0))];
    const norm = node('LayerNormalization', ['h', 'val_2', 'val_13'], ['y']);
    expect(await trained([norm], ...stored)).toEqual({ names: ['w'], told: [] });
    const cast = ['val_2', 'val_13'].map((name) => node('CastLike', [name, 'h'], [`${name}/like`]));
    const read = node('LayerNormalization', ['h', 'val_2/like', 'val_13/like'], ['y']);
    expect(await trained([...cast, read], ...stored)).toEqual({ names: ['w'], told: [] });
  });

  test('but a scale of Mul with such a name is trained, and so is a scale behind a CastLike', async () => {
    const folded = [node('LpNormalization', ['h'], ['n'], { axis: 2 }), node('Mul', ['n', 'val_2'], ['y'])];
    expect((await trained(folded, floats('val_2', [2], twice(1)))).names).toEqual(['w', 'val_2']);
    const cast = [node('CastLike', ['s', 'h'], ['like']), node('LayerNormalization', ['h', 'like'], ['y'])];
    expect((await trained(cast, floats('s', [2], twice(1)))).names).toEqual(['w', 's']);
  });

  test.each([1, 0.70710677, 8])(
    'and a single factor with such a name, as of attention: %d',
    async (factor) => {
      // The exporter stores equal factors once: those of queries and keys, and of all layers.
      const scaled = ['h', 'x'].map((name) => node('Mul', [name, 'val_93'], [`${name}/scaled`]));
      const product = node('Add', ['h/scaled', 'x/scaled'], ['y']);
      const stored = floats('val_93', [1], [factor]);
      expect(await trained([...scaled, product], stored)).toEqual({ names: ['w'], told: [] });
      const named = [node('Mul', ['h', 'alpha'], ['y'])];
      expect((await trained(named, floats('alpha', [1], [factor]))).names).toEqual(['w', 'alpha']);
    },
  );

  test('but not other values, and not those of a layer whose weights are stored', async () => {
    const norm = node('LayerNormalization', ['h', 's', 'b'], ['y']);
    const others = [constant('s', [2], [1, 2]), constant('b', [2], [0, 0.5])];
    expect((await trained([...others, norm])).names).toEqual(['w', 's', 'b']);
    const stored = [floats('s', [2], twice(1)), floats('b', [2], twice(0))];
    expect((await trained([norm], ...stored)).names).toEqual(['w', 's', 'b']);
  });
});
