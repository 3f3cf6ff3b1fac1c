import { type Browser, chromium } from 'playwright-core';
import { findBrowser } from '../../src/providers/browser/find.js';
import { WEB } from '../../src/providers/web-providers.js';
import { isHeavy } from './heavy.js';

/** WebGL on a GPU that is a program on the CPU. */
export const SOFTWARE_WEBGL = ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];
/** That and WebGPU. */
const SOFTWARE_GPU = [
  ...SOFTWARE_WEBGL,
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  ...(isHeavy ? [] : WEB.webgpu.softwareArgs),
];
/** Pages themselves are drawn without the GPU, since a GPU in software takes several times as long for that. */
const ALWAYS = [
  ...['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu-compositing'],
  // WebAssembly is compiled a second time only where it runs long.
  '--js-flags=--wasm-tiering-budget=500000000',
];

/** Starts a browser whose GPU is a program on the CPU; the caller closes it. */
export async function launchBrowser(more: readonly string[] = SOFTWARE_GPU): Promise<Browser> {
  return chromium.launch({ executablePath: (await findBrowser()).path, args: [...ALWAYS, ...more] });
}
