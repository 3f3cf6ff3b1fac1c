import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { messageOf } from '../../base/error.js';

/** The folder of onnxruntime-node's native libraries on this machine. */
export function nativeFolder(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
}

/**
 * What the system's loader says of the libraries that a provider of ONNX Runtime needs; undefined where it loads
 * them. ONNX Runtime tells that to its log only. Loading is what it has just tried itself, so nothing new happens.
 */
export function loaderSays(provider: string, folder = nativeFolder()): string | undefined {
  for (const part of ['shared', provider]) {
    try {
      process.dlopen({ exports: {} }, join(folder, `libonnxruntime_providers_${part}.so`));
    } catch (error) {
      const message = messageOf(error);
      // What loads is no addon of Node, and Node complains of that; it is no failure here.
      if (!message.includes('did not self-register')) return message;
    }
  }
  return undefined;
}
