// The nets by which the default of `calibrate` is judged, named before it was measured on them. Those of others are made by
// calibrate-others.py from packages that ship trained weights. The rest are trained by us and exported by five exporters; those outside
// models/ for less than a minute each. None was used to choose the default: the MLP and LeNet-5 of models/, which were, are not among them.
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(`../../models/${name}.onnx`, import.meta.url));
const made = (name, data, from) => ({ name, data, from, ours: true });
const ofOthers = (name, data, from = 'PyTorch, TorchScript, opset 17') => ({ name, data, from, ours: false });
const ofModels = (name) => ({ ...made(name, 'fashion', 'PyTorch'), path: here(name) });

/** `data`: fashion is Fashion-MNIST; composite has its pictures in colour on other pictures, moved, mirrored and with noise. */
export const NETS = [
  ofModels('resnet20'),
  ofModels('mobilenet'),
  ofModels('vgg-leaky'),
  made('cnn-small', 'composite', 'PyTorch, TorchScript, opset 17'),
  made('mlp-color', 'composite', 'PyTorch, TorchScript, opset 11'),
  made('mlp3000', 'fashion', 'PyTorch, dynamo'),
  made('densenet', 'composite', 'PyTorch, dynamo'),
  made('dwsep', 'fashion', 'PyTorch, TorchScript, opset 17'),
  made('leaky03', 'composite', 'PyTorch, dynamo'),
  made('leaky001', 'fashion', 'PyTorch, TorchScript, opset 17'),
  made('seq1d', 'fashion', 'PyTorch, dynamo'),
  made('preact', 'composite', 'PyTorch, TorchScript, opset 17'),
  made('senet', 'composite', 'PyTorch, dynamo'),
  made('resnet-color', 'composite', 'PyTorch, TorchScript, opset 17'),
  made('keras-residual', 'composite-nhwc', 'Keras, tf2onnx'),
  made('keras-cnn', 'composite-nhwc', 'Keras, tf2onnx'),
  made('sklearn-mlp', 'fashion-flat', 'scikit-learn, skl2onnx'),
  made('paddle-cnn', 'fashion', 'Paddle, paddle2onnx'),
  ofOthers('ccexam-mnist', 'digits-mnist'),
  ofOthers('ccexam-usps', 'digits-usps'),
  ofOthers('ccexam-svhn', 'digits-svhn'),
  ofOthers('digit-recognizer', 'digits-recognizer'),
  ofOthers('printed-digits', 'printed', 'Keras'),
  ofOthers('chess-pieces', 'pieces', 'MLX; PyTorch, TorchScript, opset 17'),
  ofOthers('chess-snap', 'placed', 'MLX; PyTorch, TorchScript, opset 17'),
  ofOthers('text-direction', 'lines', 'Paddle, paddle2onnx'),
];
