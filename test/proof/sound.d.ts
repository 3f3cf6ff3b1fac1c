import type { InferenceSession } from 'onnxruntime-node';
import type { Random } from './random.js';

export declare const RATE: number;
export declare const FRAMES: number;
export declare const BANDS: number;
export declare const HOP: number;
export declare const VARIANTS: readonly string[];
export declare const MODELS: string;
export declare function speechMissing(): string | undefined;
export declare function decodeWav(bytes: Uint8Array): { rate: number; samples: Float32Array };
export declare function resample(samples: Float32Array, from: number, to: number): Float32Array;
export declare function speak(
  text: string,
  how: { voice: string; speed?: number; pitch?: number; range?: number },
): Float32Array;
export declare function record(
  speech: Float32Array,
  random: Random,
  room: { before: number; after: number; level: number; snr: number; colour?: number },
): Float32Array;
export declare function session(model: Uint8Array | string): Promise<InferenceSession>;
export declare function melFrames(): Promise<(samples: Float32Array) => Promise<Float32Array>>;
export declare function windowsOf(frames: Float32Array): Float32Array;
export declare function embedder(model: Uint8Array | string): Promise<{
  run(windows: Float32Array, batch?: number): Promise<Float32Array>;
  close(): Promise<void>;
}>;
export declare function embed(model: Uint8Array | string, windows: Float32Array): Promise<Float32Array>;
