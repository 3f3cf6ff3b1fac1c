import { dirname, join } from 'node:path';
import { messageOf } from '../../base/error.js';
import { resolvePeer } from './packages.js';

/** Returns the folder of onnxruntime-node's native libraries on this machine. */
export function nativeFolder(): string {
  const entry = resolvePeer('onnxruntime-node');
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
}

/**
 * Loads a provider's libraries and returns the system loader's error; undefined if they load. ONNX Runtime writes this
 * error only to its log. ONNX Runtime has just tried to load the same libraries, so there are no new side effects.
 */
export function loaderSays(provider: string, folder = nativeFolder()): string | undefined {
  for (const part of ['shared', provider]) {
    const message = loadError(join(folder, `libonnxruntime_providers_${part}.so`));
    if (message !== undefined) return message;
  }
  return undefined;
}

/** Loads a library and returns the system loader's error; undefined if it loads. */
export function loadError(library: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, library);
    return undefined;
  } catch (error) {
    const message = messageOf(error);
    // A library that loads is not an addon of Node: Node's error about that means success here.
    return message.includes('did not self-register') ? undefined : message;
  }
}
