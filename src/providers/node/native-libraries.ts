import { execFile } from 'node:child_process';
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
    try {
      process.dlopen({ exports: {} }, join(folder, `libonnxruntime_providers_${part}.so`));
    } catch (error) {
      const message = messageOf(error);
      // A library that loads is not an addon of Node: Node's error about that means success here.
      if (!message.includes('did not self-register')) return message;
    }
  }
  return undefined;
}

/** The program of a process that opens a session on WebGPU, and prints its error. */
const TRY_WEBGPU = `
const [module, model] = process.argv.slice(1);
const options = { executionProviders: ['webgpu'], logSeverityLevel: 4, extra: { session: { disable_cpu_ep_fallback: '1' } } };
require(module).InferenceSession.create(Buffer.from(model, 'base64'), options)
  .then((session) => session.release())
  .then(() => process.exit(0), (error) => process.stdout.write(error.message, () => process.exit(1)));`;

/** Milliseconds after which a driver that does not answer counts as missing. */
const WEBGPU_TIMEOUT_MS = 30_000;

/**
 * Opens a model on ONNX Runtime's WebGPU, and returns the error; undefined if the model opens. A process of its own does that:
 * without a usable GPU, Vulkan's drivers write to standard error at every log level, and some end their process.
 */
export function webgpuSays(model: Uint8Array): Promise<string | undefined> {
  const args = ['-e', TRY_WEBGPU, resolvePeer('onnxruntime-node'), Buffer.from(model).toString('base64')];
  const options = { timeout: WEBGPU_TIMEOUT_MS, killSignal: 'SIGKILL', windowsHide: true } as const;
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1', ORT_DISABLE_TELEMETRY: '1' };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { ...options, env }, (error, said) => {
      resolve(error === null ? undefined : said || 'Failed to get a WebGPU adapter');
    });
  });
}
