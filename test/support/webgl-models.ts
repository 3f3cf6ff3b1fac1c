import type { onnx } from '../../proto/onnx.js';
import { floats, model, node, value } from './model.js';

// The smallest models that ONNX Runtime Web's WebGL backend gets wrong without a word; test/providers/webgl-models.md
// says why. In all of them the input x is one number in an image of one pixel, and the Conv multiplies it by 1.

const F32 = 1;
const PIXEL = [1, 1, 1, 1];

const conv = (x: string, y: string) => node('Conv', [x, 'w'], [y], {}, { name: `conv_${y}` });
const activation = (op: string, x: string, y: string) => node(op, [x], [y], {}, { name: `${op}_${y}` });

function pixelModel(nodes: onnx.INodeProto[], outputs: readonly string[]): Uint8Array {
  return model({
    nodes,
    inputs: [value('x', F32, PIXEL)],
    outputs: outputs.map((name) => value(name, F32, PIXEL)),
    initializers: [floats('w', PIXEL, [1])],
  });
}

/**
 * Two Convs of one shape, only the first with an activation: `plain` should be x, and is what the activation makes of
 * it, because WebGL runs the first one's program for both.
 */
export function sharedProgram(op: 'Relu' | 'Sigmoid' = 'Relu'): Uint8Array {
  return pixelModel([conv('x', 'c'), activation(op, 'c', 'active'), conv('x', 'plain')], ['active', 'plain']);
}

/** The two Convs the other way round: `active` should be Relu(x), and is x. */
export function sharedPlainProgram(): Uint8Array {
  return pixelModel(
    [conv('x', 'plain'), conv('x', 'c'), activation('Relu', 'c', 'active')],
    ['plain', 'active'],
  );
}

/** The Conv's own output is one of the model's: `c` should be x, and is Relu(x), because the two become one. */
export function fusedOutput(): Uint8Array {
  return pixelModel([conv('x', 'c'), activation('Relu', 'c', 'y')], ['c', 'y']);
}

/** An output of the model that a node reads as well, after one whose Relu is fused. */
export function readOutput(): Uint8Array {
  return pixelModel(
    [conv('x', 'c'), activation('Relu', 'c', 'y'), activation('Neg', 'x', 'z'), activation('Abs', 'z', 'v')],
    ['y', 'z', 'v'],
  );
}

/** The output that a Relu makes is read by a node as well. */
export function readFusedOutput(): Uint8Array {
  return pixelModel([conv('x', 'c'), activation('Relu', 'c', 'y'), activation('Neg', 'y', 'z')], ['y', 'z']);
}

/** A residual net as ResNet has it: blocks of Conv, Relu, Conv of the same shape, Add, Relu. */
export function residualNet(blocks = 3, channels = 4, size = 8): Uint8Array {
  const image = [1, channels, size, size];
  const shape = [channels, channels, 3, 3];
  const weights = (name: string, seed: number) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const data = Array.from({ length: count }, (_, place) => Math.sin((place + 1) * 12.9898 + seed) / 4);
    return floats(name, shape, data);
  };
  const nodes: onnx.INodeProto[] = [];
  const initializers: onnx.ITensorProto[] = [];
  let from = 'x';
  for (let block = 0; block < blocks; block++) {
    const name = (part: string) => `${part}${block}`;
    const to = block === blocks - 1 ? 'y' : name('out');
    const layer = (x: string, part: string) => {
      initializers.push(weights(name(`${part}_w`), initializers.length));
      return node('Conv', [x, name(`${part}_w`)], [name(part)], { pads: [1, 1, 1, 1] }, { name: name(part) });
    };
    nodes.push(
      layer(from, 'a'),
      node('Relu', [name('a')], [name('r')]),
      layer(name('r'), 'b'),
      node('Add', [name('b'), from], [name('s')]),
      node('Relu', [name('s')], [to]),
    );
    from = to;
  }
  return model({ nodes, inputs: [value('x', F32, image)], outputs: [value('y', F32, image)], initializers });
}
