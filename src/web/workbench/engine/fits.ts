import { messageOf, OnnxMishError } from '../../../base/error.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import type { Provider } from '../../../providers/provider.js';
import type { Fit, PageProvider } from '../protocol.js';

/**
 * Returns whether a provider can run a model. For WebGL the known rules of its kernels decide; the other providers
 * open the model.
 */
export async function fitOf(name: PageProvider, provider: Provider, model: LoadedModel): Promise<Fit> {
  const lacking = { provider: name, runs: false, available: false, nodes: [] } as const;
  const no = (reason: string, fix: string | null, nodes: readonly string[] = []): Fit => {
    return { ...lacking, available: true, reason, fix, nodes };
  };
  try {
    const available = await provider.availability();
    if (!available.available) return { ...lacking, reason: available.reason, fix: available.fix };
    if (provider.check !== undefined) {
      const unsupported = await provider.check(model.document);
      if (unsupported !== undefined) return no(unsupported.reason, unsupported.fix, unsupported.nodes);
    } else {
      await (await provider.open(model.file)).close();
    }
    return { provider: name, runs: true, available: true, reason: null, fix: null, nodes: [] };
  } catch (error) {
    const what = error instanceof OnnxMishError ? error.what : messageOf(error);
    return no(what, error instanceof OnnxMishError ? (error.fix ?? null) : null, nodesIn(what));
  }
}

/** Returns the node that ONNX Runtime's error names as having no kernel, in the notation of the WebGL checks. */
function nodesIn(message: string): string[] {
  const found = message.matchAll(/implementation for (\w+)\((\d+)\) node with name '([^']*)'/g);
  return [...found].map(([, op, opset, name]) => `${op} (opset ${opset}) ‘${name}’`);
}
