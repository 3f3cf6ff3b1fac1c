import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { inWords } from '../../src/base/in-words.js';
import { FORM_FOR, FORMS } from '../../src/mish/forms.js';
import { PROVIDERS } from '../../src/providers/provider.js';
import { MISSING, WEB_PROVIDERS, webFacts } from '../../src/providers/web-providers.js';
import { toleranceFor } from '../../src/validate/tolerance.js';

const root = fileURLToPath(new URL('../../src/', import.meta.url));
const ort = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));

describe.each(WEB_PROVIDERS)('the web provider %s', (name) => {
  const { label, build, wasm, parity, processor } = webFacts(name);

  test('names files that onnxruntime-web has', () => {
    const files = [build, ...(wasm === undefined ? [] : [`${wasm}.mjs`, `${wasm}.wasm`])];
    for (const file of files) expect(existsSync(join(ort, file)), file).toBe(true);
    const module = readFileSync(join(ort, build), 'utf8');
    expect(module.includes(`"${name}"`), 'it registers the provider').toBe(true);
    if (wasm !== undefined) expect(module.includes(`${wasm}.mjs`), wasm).toBe(true);
  });

  test('can be asked for, has a form, and is held to its tolerance', () => {
    expect(PROVIDERS).toContain(name);
    const limits = FORMS[FORM_FOR[name]].limits.filter((limit) => limit.type === undefined);
    expect(limits.flatMap((limit) => limit.on)).not.toContain(name);
    expect(toleranceFor(name, 'f32')).toEqual({ kernel: processor === 'cpu' ? 1e-5 : 1e-4, parity });
    expect(label.toLowerCase()).toBe(name);
  });
});

test('a report explains each feature that a browser may lack', () => {
  for (const { reason, fix } of Object.values(MISSING)) {
    expect(reason).toMatch(/browser|WebGL|WebGPU/);
    expect(fix).toMatch(/^[A-Z]/);
  }
});

test('one table names the web providers: other files name one only for what it alone needs', () => {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const naming = files.filter((file) => {
    const code = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    return /'(webgl|webgpu|wasm)'/.test(code) && !file.startsWith('mish/');
  });
  expect(naming.sort()).toEqual(
    [
      'bundler/cache-key.ts', // the target whose nodes are rewritten
      'bundler/request.ts', // the default target
      'calibrate/for-target.ts', // the fixes of WebGL
      'node/provider-by-name.ts', // webgpu-native
      'providers/node/diagnose.ts', // the WebGPU of onnxruntime-node
      'providers/node/native-libraries.ts', // tried in a process of its own
      'providers/node/provider.ts', // ONNX Runtime's own WebGPU in Node, which needs Vulkan
      'providers/web-providers.ts',
      'providers/webgl/prepare.ts', // the target of its cure
      'train/training-plan.ts', // convolutions of groups that WebGPU computes wrong
      'web/harness/facts.ts', // a missing feature of that name
      'web/session/create.ts', // the default order
      'web/workbench/engine/provider.ts', // the reference
      'web/workbench/engine/training-provider.ts', // the reference of a training
      'web/workbench/room-protocol.ts', // the providers that train
      'web/workbench/rooms/training-providers.tsx', // their choice
    ].sort(),
  );
});

test('words are joined as in a sentence', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(inWords)).toEqual(['', 'a', 'a and b', 'a, b and c']);
});
