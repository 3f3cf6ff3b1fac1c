// Untrained nets for images of 28 × 28 pixels and 10 classes, as ONNX files: for `onnx-mish experiment`, which initialises
// their weights anew.
//
//     node models/architectures.js
//
// writes models/untrained/. The bytes are the same on every machine.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onnx } from '../proto/onnx.js';
import { normalNumbers } from './random.js';

const Type = onnx.AttributeProto.AttributeType;
const FLOAT = onnx.TensorProto.DataType.FLOAT;
const [IR_VERSION, OPSET] = [8, 13];
const CLASSES = 10;

const ints = (name, ...values) => ({ name, type: Type.INTS, ints: values });
const product = (dims) => dims.reduce((size, dim) => size * dim, 1);

/** Collects the nodes and weights of a net with one chain of values; `dims` is the shape of the last one for a sample. */
function createNet(seed) {
  const random = normalNumbers(seed);
  const [node, initializer] = [[], []];
  const net = {
    dims: [1, 28, 28],
    value: 'images',
    graph: () => ({ node, initializer }),
    /** Appends a node, whose output becomes the net's last value. */
    add(opType, path, inputs, attribute, dims) {
      const output = `${path}_output_0`;
      node.push({ opType, name: path, input: inputs, output: [output], attribute });
      return Object.assign(net, { value: output, dims });
    },
    /** Adds a weight of normal numbers in steps of 1/256, which compress well. */
    normal(name, dims, deviation) {
      const values = Array.from(
        { length: product(dims) },
        () => Math.round(random() * deviation * 256) / 256,
      );
      return net.weight(name, dims, values);
    },
    weight(name, dims, values) {
      const rawData = new Uint8Array(Float32Array.from(values).buffer);
      initializer.push({ name, dims, dataType: FLOAT, rawData });
      return name;
    },
    relu: (path) => net.add('Relu', `/${path}/Relu`, [net.value], [], net.dims),
  };
  return net;
}

/** Appends a convolution with He's initialisation; `pad` keeps the size at stride 1. */
function conv(net, path, channels, { kernel = 3, stride = 1, bias = true } = {}) {
  const [inputs, height, width] = net.dims;
  const pad = (kernel - 1) / 2;
  const scale = Math.sqrt(2 / (inputs * kernel * kernel));
  const names = [net.normal(`${path}.weight`, [channels, inputs, kernel, kernel], scale)];
  if (bias) names.push(net.weight(`${path}.bias`, [channels], Array(channels).fill(0)));
  const attributes = [
    ints('kernel_shape', kernel, kernel),
    ints('pads', pad, pad, pad, pad),
    ints('strides', stride, stride),
  ];
  const dims = [channels, Math.ceil(height / stride), Math.ceil(width / stride)];
  return net.add('Conv', `/${path}/Conv`, [net.value, ...names], attributes, dims);
}

/** Appends a batch normalisation of the last value's first axis. */
function batchNorm(net, path) {
  const [channels] = net.dims;
  const starts = { weight: 1, bias: 0, running_mean: 0, running_var: 1 };
  const names = Object.entries(starts).map(([part, value]) =>
    net.weight(`${path}.${part}`, [channels], Array(channels).fill(value)),
  );
  return net.add('BatchNormalization', `/${path}/BatchNormalization`, [net.value, ...names], [], net.dims);
}

/** Appends a convolution without bias and a batch normalisation. */
function convNorm(net, path, channels, options) {
  conv(net, `${path}.conv`, channels, { ...options, bias: false });
  return batchNorm(net, `${path}.bn`);
}

function maxPool(net, path) {
  const [channels, height, width] = net.dims;
  const attributes = [ints('kernel_shape', 2, 2), ints('strides', 2, 2)];
  const dims = [channels, height >> 1, width >> 1];
  return net.add('MaxPool', `/${path}/MaxPool`, [net.value], attributes, dims);
}

const flatten = (net) =>
  net.dims.length === 1 ? net : net.add('Flatten', '/Flatten', [net.value], [], [product(net.dims)]);

const averagePool = (net) =>
  flatten(net.add('GlobalAveragePool', '/pool/GlobalAveragePool', [net.value], [], [net.dims[0], 1, 1]));

function dense(net, path, outputs, { bias = true } = {}) {
  const [inputs] = net.dims;
  const names = [net.normal(`${path}.weight`, [outputs, inputs], Math.sqrt(2 / inputs))];
  if (bias) names.push(net.weight(`${path}.bias`, [outputs], Array(outputs).fill(0)));
  const attributes = [{ name: 'transB', type: Type.INT, i: 1 }];
  return net.add('Gemm', `/${path}/Gemm`, [net.value, ...names], attributes, [outputs]);
}

/** Returns the bytes of a model from `images` to `scores`. */
function encode(net, name) {
  const dim = (sizes) => [{ dimParam: 'N' }, ...sizes.map((dimValue) => ({ dimValue }))];
  const value = (label, sizes) => ({
    name: label,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dim(sizes) } } },
  });
  const { node, initializer } = net.graph();
  // The last node's output is the model's.
  const nodes = node.map((one, at) => (at === node.length - 1 ? { ...one, output: ['scores'] } : one));
  return onnx.ModelProto.encode({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    producerName: 'models/architectures.js',
    graph: {
      name,
      node: nodes,
      initializer,
      input: [value('images', [1, 28, 28])],
      output: [value('scores', [CLASSES])],
    },
  }).finish();
}

/** A residual block of two convolutions; a projection where the shape changes (option B). */
function residual(net, path, channels, stride) {
  const [input, dims] = [net.value, net.dims];
  convNorm(net, `${path}.0`, channels, { stride }).relu(`${path}.relu1`);
  convNorm(net, `${path}.1`, channels);
  const branch = net.value;
  let shortcut = input;
  if (stride !== 1 || dims[0] !== channels) {
    Object.assign(net, { value: input, dims });
    shortcut = convNorm(net, `${path}.shortcut`, channels, { kernel: 1, stride }).value;
  }
  net.add('Add', `/${path}/Add`, [branch, shortcut], [], net.dims);
  return net.relu(`${path}.relu2`);
}

/** ResNet-20 (He et al. 2016) with batch normalisation, of half the usual channels by default. */
export function resnet20({ widths = [8, 16, 32], seed = 1 } = {}) {
  const net = createNet(seed);
  convNorm(net, 'stem', widths[0]).relu('stem.relu');
  for (const [stage, channels] of widths.entries())
    for (let block = 0; block < 3; block++)
      residual(net, `stage${stage + 1}.${block}`, channels, stage > 0 && block === 0 ? 2 : 1);
  return encode(dense(averagePool(net), 'classifier', CLASSES), 'resnet20');
}

/** A net of six layers with weights: four convolutions with batch normalisation, and two dense layers. */
export function cnn6({ widths = [8, 16], hidden = 64, seed = 2 } = {}) {
  const net = createNet(seed);
  for (const [stage, channels] of widths.entries()) {
    for (let at = 0; at < 2; at++)
      convNorm(net, `stage${stage + 1}.${at}`, channels).relu(`stage${stage + 1}.relu${at}`);
    maxPool(net, `stage${stage + 1}.pool`);
  }
  dense(flatten(net), 'hidden', hidden).relu('hidden.relu');
  return encode(dense(net, 'classifier', CLASSES), 'cnn6');
}

/** A net of four layers with weights for the workbench, where it learns while one looks on: three convolutions of stride 2. */
export function cnn4({ widths = [8, 16, 32], seed = 5 } = {}) {
  const net = createNet(seed);
  for (const [stage, channels] of widths.entries())
    convNorm(net, `stage${stage + 1}`, channels, { stride: 2 }).relu(`stage${stage + 1}.relu`);
  return encode(dense(averagePool(net), 'classifier', CLASSES), 'cnn4');
}

/** A fire module (Iandola et al. 2016): a 1×1 convolution, then 1×1 and 3×3 convolutions side by side. */
function fire(net, path, squeezed, expanded) {
  conv(net, `${path}.squeeze`, squeezed, { kernel: 1 }).relu(`${path}.squeeze.relu`);
  const { value, dims } = net;
  const branches = [1, 3].map((kernel) => {
    Object.assign(net, { value, dims });
    const branch = `${path}.expand${kernel}x${kernel}`;
    return conv(net, branch, expanded, { kernel }).relu(`${branch}.relu`).value;
  });
  const axis = [{ name: 'axis', type: Type.INT, i: 1 }];
  return net.add('Concat', `/${path}/Concat`, branches, axis, [2 * expanded, ...dims.slice(1)]);
}

/** A small SqueezeNet without batch normalisation. Unlike in the original, no activation follows the last convolution. */
export function squeezenet({ seed = 3 } = {}) {
  const net = createNet(seed);
  maxPool(conv(net, 'stem', 16).relu('stem.relu'), 'pool1');
  fire(net, 'fire1', 8, 16);
  maxPool(fire(net, 'fire2', 8, 16), 'pool2');
  fire(net, 'fire3', 16, 32);
  fire(net, 'fire4', 16, 32);
  return encode(averagePool(conv(net, 'classifier', CLASSES, { kernel: 1 })), 'squeezenet');
}

/** A chain of dense layers, each with batch normalisation and an activation, and a classifier. */
export function plainNet({ layers, width = 64, norm = true, seed = 4 }) {
  const net = flatten(createNet(seed));
  for (let at = 0; at < layers; at++) {
    dense(net, `layers.${at}`, width, { bias: !norm });
    if (norm) batchNorm(net, `layers.${at}.bn`);
    net.relu(`layers.${at}.relu`);
  }
  return encode(dense(net, 'classifier', CLASSES), `plain${layers}`);
}

/** The nets of models/untrained/. */
export const UNTRAINED = { resnet20, cnn6, cnn4, squeezenet };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('untrained/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const [name, build] of Object.entries(UNTRAINED)) {
    const bytes = build();
    writeFileSync(`${folder}${name}.onnx`, bytes);
    console.log(`models/untrained/${name}.onnx: ${bytes.length} bytes`);
  }
}
