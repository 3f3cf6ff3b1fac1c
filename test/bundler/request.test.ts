import { expect, test } from 'vitest';
import { onnxMish, vite } from '../../src/bundler/index.js';
import { type MishOptions, optionsOf, parseRequest } from '../../src/bundler/request.js';

const ask = (id: string) => {
  const request = parseRequest(id);
  return request && { path: request.path, wants: request.wants };
};
const options = (query: string, own: MishOptions = {}) => {
  const request = parseRequest(`/net.onnx?${query}`);
  return request && optionsOf(request, own);
};

test.each([
  '/net.onnx',
  '/net.onnx?url',
  '/net.onnx?mishap',
  '/net.onnx?url&mish-infos',
  '/net.onnx?a=mish',
  '/net.js?mish',
  '/net.onnx.data?mish',
  '/net.onnx#?mish',
])('%s is left to others', (id) => {
  expect(ask(id)).toBeUndefined();
});

test.each([
  ['/a b/net.onnx?mish', '/a b/net.onnx', 'mish'],
  ['/net.v1.onnx?mish-info', '/net.v1.onnx', 'mish-info'],
  ['/NET.ONNX?mish', '/NET.ONNX', 'mish'],
  ['/net.onnx?beta=2&mish', '/net.onnx', 'mish'],
  ['/net.onnx?mish&exclude=/a?/*', '/net.onnx', 'mish'],
  ['/net.onnx?mish&t=1732', '/net.onnx', 'mish'],
  ['/net.onnx?import&mish-info', '/net.onnx', 'mish-info'],
])('%s is ours', (id, path, wants) => {
  expect(ask(id)).toEqual({ path, wants });
});

test('options of an import override the plugin’s', () => {
  expect(options('mish')).toEqual({ target: 'wasm' });
  expect(options('import&mish&t=1', { target: 'webgpu', beta: 2 })).toEqual({ target: 'webgpu', beta: 2 });
  expect(options('beta=3&mish', { beta: 2, undo: true })).toEqual({ target: 'wasm', beta: 3, undo: true });
  expect(options('exclude=/a/*,/b?&exclude=c&mish')).toMatchObject({ exclude: ['/a/*', '/b?', 'c'] });
  expect(options('opset=18&mish', { opset: 17 })).toEqual({ target: 'wasm', opset: 18 });
  expect(options('to=leakyrelu&alpha=0.2&mish', { to: 'elu' })).toEqual({
    ...{ target: 'wasm', to: 'leakyrelu', alpha: 0.2 },
  });
  expect(options('only=relu&leaky=mixture&mish')).toMatchObject({ only: ['relu'], leaky: 'mixture' });
});

test('a form or a target of an import replaces both options of the plugin', () => {
  expect(options('form=native&mish', { target: 'webgl' })).toEqual({ form: 'native' });
  expect(options('target=webgl&mish', { form: 'softplus' })).toEqual({ target: 'webgl' });
});

test('an import with another activation leaves out what belongs to the plugin’s', () => {
  const options = { form: 'softplus', beta: 2, leaky: 'mixture', undo: true } as const;
  const parsed = (query: string) => {
    const request = parseRequest(`/a.onnx?${query}`);
    if (request === undefined) throw new Error('no request');
    return optionsOf(request, options);
  };
  expect(parsed('to=hardswish&mish')).toEqual({ to: 'hardswish', target: 'wasm', undo: true });
  expect(parsed('to=swish&beta=3&mish')).toEqual({ to: 'swish', beta: 3, target: 'wasm', undo: true });
  expect(parsed('to=mish&mish')).toEqual({ ...options, to: 'mish', target: 'wasm' });
});

test('unknown options are rejected', () => {
  for (const query of ['from=exp&mish', '__proto__=1&mish', 'cacheDir=/&mish']) {
    expect(() => options(query), query).toThrow(/^\/net\.onnx: '.*' is not an option of an import/);
  }
  const wrong = (given: object) => () => vite(given as MishOptions);
  expect(wrong({ provider: 'webgl' })).toThrow(
    "onnx-mish/unplugin: 'provider' is not an option. Choose from form, target",
  );
  expect(wrong({ to: 'selu' })).toThrow("'selu' is not an activation to write");
  expect(wrong({ form: 'exact' })).toThrow("'exact' is not a form");
  expect(wrong({ target: 'npu' })).toThrow("'npu' is not a target");
  expect(wrong({ beta: -1 })).toThrow('the sharpness β cannot be -1');
  expect(onnxMish.rollup({ target: 'webgl' })).toMatchObject({ name: 'onnx-mish' });
  expect(() => onnxMish.farm()).toThrow('onnx-mish cannot make assets with farm. Use it with vite, rollup');
});
