import type { Host } from '../../../validate/report-schema.js';

/** Returns the browser's name and version, in the notation of the command line's reports: `Chromium 147.0.0.0`. */
export function browserName(agent = navigator.userAgent): string {
  const known = [
    ['Edge', /Edg\/([\d.]+)/],
    ['Firefox', /Firefox\/([\d.]+)/],
    ['Chromium', /Chrome\/([\d.]+)/],
    ['Safari', /Version\/([\d.]+).*Safari/],
  ] as const;
  for (const [name, pattern] of known) {
    const [, version] = pattern.exec(agent) ?? [];
    if (version !== undefined) return `${name} ${version}`;
  }
  return 'unknown browser';
}

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
