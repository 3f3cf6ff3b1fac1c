// Outputs that are sequences, maps or optionals, and the tensors that go into them.
import type { onnx } from '../../proto/onnx.js';
import { node } from './model.js';

const tensor = { tensorType: { elemType: 1 } };

/** An output of a sequence of float tensors, unless another type is given. */
export function container(
  name: string,
  type: onnx.ITypeProto = { sequenceType: { elemType: tensor } },
): onnx.IValueInfoProto {
  return { name, type };
}

export const CONTAINERS = [
  'ZipMap',
  'construct',
  'insert',
  'erase',
  'split',
  'optional',
  'identity',
] as const;
export type Wrapped = (typeof CONTAINERS)[number];

const MAPS: onnx.ITypeProto = { sequenceType: { elemType: { mapType: { keyType: 7, valueType: tensor } } } };

/** Nodes from 'x', float [2, 4], to an output that is no tensor, with the tensors that it is made of. */
export function wrapped(
  kind: Wrapped,
  index: number,
): { nodes: onnx.INodeProto[]; output: onnx.IValueInfoProto; tensors: string[] } {
  const [a, b, s, o] = ['a', 'b', 's', 'o'].map((name) => `${name}${index}`) as [
    string,
    string,
    string,
    string,
  ];
  const tensors = [node('Relu', ['x'], [a]), node('Neg', [a], [b])];
  const construct = node('SequenceConstruct', [a, b], [s]);
  switch (kind) {
    case 'ZipMap': {
      const zip = node('ZipMap', [a], [o], { classlabels_int64s: [0, 1, 2, 3] }, { domain: 'ai.onnx.ml' });
      return { nodes: [node('Relu', ['x'], [a]), zip], output: container(o, MAPS), tensors: [a] };
    }
    case 'construct':
      return { nodes: [...tensors, construct], output: container(s), tensors: [a, b] };
    case 'insert': {
      const more = [node('Exp', ['x'], [`e${index}`]), node('SequenceInsert', [s, `e${index}`], [o])];
      return { nodes: [...tensors, construct, ...more], output: container(o), tensors: [a, b, `e${index}`] };
    }
    case 'erase':
      return {
        nodes: [...tensors, construct, node('SequenceErase', [s, 'one'], [o])],
        output: container(o),
        tensors: [a, b],
      };
    case 'split':
      return {
        nodes: [node('Relu', ['x'], [a]), node('SplitToSequence', [a, 'one'], [s])],
        output: container(s),
        tensors: [a],
      };
    case 'optional':
      return {
        nodes: [node('Relu', ['x'], [a]), node('Optional', [a], [o])],
        output: container(o, { optionalType: { elemType: tensor } }),
        tensors: [a],
      };
    case 'identity':
      return {
        nodes: [...tensors, construct, node('Identity', [s], [o])],
        output: container(o),
        tensors: [a, b],
      };
  }
}
