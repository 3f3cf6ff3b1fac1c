import { InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import url from './model.onnx?mish';

const session = await InferenceSession.create(url);
// The names and the shape are those of the model.
const images = new Tensor('float32', new Float32Array(28 * 28).fill(0.5), [1, 1, 28, 28]);
const { scores } = await session.run({ images });
document.querySelector('#scores').textContent = scores.data.join('\n');
