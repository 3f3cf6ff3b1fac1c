import type * as Ort from 'onnxruntime-node';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { importPeer } from './packages.js';

let loading: Promise<typeof Ort> | undefined;

/**
 * Loads onnxruntime-node at the first use: 20 MB of native code. Throws `missing-package`, and `provider-unavailable` if
 * the package does not load.
 */
export async function ort(): Promise<typeof Ort> {
  // Disables ONNX Runtime's telemetry, which also writes files into the temporary and home folders.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  loading ??= importPeer('onnxruntime-node', () => import('onnxruntime-node')).catch((cause) => {
    loading = undefined; // the package may be installed before the next attempt
    if (cause instanceof OnnxMishError) throw cause;
    const [reason] = messageOf(cause).split('\n');
    throw new OnnxMishError('provider-unavailable', `onnxruntime-node cannot be loaded: ${reason}`, {
      fix: 'Install onnxruntime-node again',
      option: { install: null },
      cause,
    });
  });
  const module = await loading;
  module.env.logLevel = 'fatal'; // failures are thrown as errors; the log would repeat them
  return module;
}
