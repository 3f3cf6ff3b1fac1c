import type { Host } from '../../../validate/report-schema.js';

/** What a browser calls itself, as those of the command line's reports do: `Chromium 147.0.0.0`. */
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

/** As much as TypeScript's DOM leaves out of what is asked here. */
interface MoreNavigator {
  readonly hardwareConcurrency: number;
  readonly userAgentData?: { readonly platform: string };
  /** GiB, rounded. */
  readonly deviceMemory?: number;
}

/** The machine, as far as a page may know it. */
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
