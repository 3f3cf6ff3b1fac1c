import type { Config } from './config-schema.js';

export type { Config };

/** A configuration as it is; an editor knows its keys. `export default defineConfig({ swap: { target: 'webgl' } })` */
export function defineConfig(config: Config): Config {
  return config;
}
