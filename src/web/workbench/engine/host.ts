import type { Host } from '../../../validate/report-schema.js';
import { browserName } from '../../harness/browser-name.js';

/** Properties of `navigator` that TypeScript's DOM types lack. */
interface MoreNavigator {
  readonly hardwareConcurrency: number;
  readonly userAgentData?: { readonly platform: string };
  /** Memory in GiB, rounded. */
  readonly deviceMemory?: number;
}

/** Returns facts about the machine that a page can read. */
export function pageHost(): Omit<Host, 'onnxruntime'> {
  const { userAgentData, deviceMemory = 0, hardwareConcurrency } = navigator as unknown as MoreNavigator;
  return {
    os: userAgentData?.platform ?? navigator.platform ?? 'unknown system',
    arch: 'architecture unknown',
    cpu: 'processor unknown to the browser',
    cores: hardwareConcurrency,
    memory: deviceMemory * 2 ** 30,
    node: `none (${browserName()})`,
  };
}
