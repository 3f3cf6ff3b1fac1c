import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { diagnose, type MachineFacts } from '../../../src/providers/node/diagnose.js';
import { loaderSays, nativeFolder } from '../../../src/providers/node/native-libraries.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { ProviderName } from '../../../src/providers/provider.js';
import { tempFolder } from '../../support/folder.js';

const LINUX = { platform: 'linux', arch: 'x64' } as const;

// What onnxruntime-node 1.30.0 says, and the loader of Debian 12, with the libraries of onnxruntime-gpu 1.30.0 from
// PyPI (CUDA 13) beside it. Verbatim, but for the folder and the name of the machine.
const NO_CUDA = 'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library';
const NO_TENSORRT = 'OrtSessionOptionsAppendExecutionProvider_TensorRT: Failed to load shared library';
const ABSENT = ': cannot open shared object file: No such file or directory';
const LIBRARIES = '/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers';

/** With the CUDA 13 libraries of PyPI, and stand-ins for driver and runtime that fail with this number. */
const failure = (text: string) =>
  '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void] /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void] ' +
  `CUDA failure ${text} ; GPU=-1 ; hostname=host ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=352 ; expr=cudaSetDevice(info_.device_id); \n\n`;

/** onnxruntime-node 1.30.0 on Linux, without libvulkan. */
const NO_ADAPTER =
  '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n';

/** microsoft/onnxruntime#21432, ONNX Runtime of July 2024 on Windows. */
const NO_DIRECTX =
  'D:\\a\\_work\\1\\s\\onnxruntime\\core\\providers\\dml\\dml_provider_factory.cc(518)\\onnxruntime.DLL!69CE57A9: (caller: 69CE5911) Exception(1) tid(5df8) 887A0004 The specified device interface or feature level is not supported on this system.';

const MESSAGES: readonly [what: string, ProviderName, string, Partial<MachineFacts>, RegExp, RegExp][] = [
  [
    'no libraries',
    'cuda',
    NO_CUDA,
    { loader: `${LIBRARIES}_shared.so${ABSENT}` },
    /^the CUDA libraries of ONNX Runtime are not installed$/,
    /npm rebuild onnxruntime-node/,
  ],
  [
    'no libraries for TensorRT',
    'tensorrt',
    NO_TENSORRT,
    { loader: `${LIBRARIES}_tensorrt.so${ABSENT}` },
    /not installed$/,
    /npm rebuild onnxruntime-node/,
  ],
  [
    'no CUDA',
    'cuda',
    NO_CUDA,
    { loader: `libcublasLt.so.13${ABSENT}` },
    /^libcublasLt\.so\.13 of CUDA 13 is missing$/,
    /`pip install nvidia-cuda-runtime nvidia-cublas .*` ?.*LD_LIBRARY_PATH/,
  ],
  [
    'no CUDA 12',
    'cuda',
    NO_CUDA,
    { loader: `libcublasLt.so.12${ABSENT}` },
    /CUDA 12 is missing$/,
    /nvidia-cublas-cu12 nvidia-curand-cu12/,
  ],
  [
    'part of CUDA',
    'cuda',
    NO_CUDA,
    { loader: `libcudart.so.13${ABSENT}` },
    /^libcudart\.so\.13 of CUDA 13/,
    /pip/,
  ],
  [
    'cuRAND',
    'cuda',
    NO_CUDA,
    { loader: `libcurand.so.10${ABSENT}` },
    /^libcurand\.so\.10 of CUDA is/,
    /nvidia-curand .*-cu12/,
  ],
  [
    'cuFFT of CUDA 12',
    'cuda',
    NO_CUDA,
    { loader: `libcufft.so.11${ABSENT}` },
    /^libcufft\.so\.11 of CUDA 12 is/,
    /nvidia-cufft-cu12`,/,
  ],
  [
    'cuFFT of CUDA 13',
    'cuda',
    NO_CUDA,
    { loader: `libcufft.so.12${ABSENT}` },
    /^libcufft\.so\.12 of CUDA 13 is/,
    /nvidia-cufft`,/,
  ],
  [
    'a library without a version',
    'cuda',
    NO_CUDA,
    { loader: `libcudart.so${ABSENT}` },
    /^libcudart\.so of CUDA is/,
    /nvidia-cufft` \(/,
  ],
  [
    'no driver',
    'cuda',
    NO_CUDA,
    { loader: `libcuda.so.1${ABSENT}` },
    /no NVIDIA driver/,
    /`nvidia-smi`.*--gpus all/,
  ],
  [
    'no TensorRT',
    'tensorrt',
    NO_TENSORRT,
    { loader: `libnvinfer.so.10${ABSENT}` },
    /^libnvinfer\.so\.10 of TensorRT/,
    /tensorrt~=10\.0/,
  ],
  // microsoft/onnxruntime#25609, onnxruntime-gpu 1.22.0
  [
    'no cuDNN',
    'cuda',
    NO_CUDA,
    { loader: `libcudnn.so.9${ABSENT}` },
    /^libcudnn\.so\.9 of cuDNN/,
    /nvidia-cudnn-cu13~=9\.0/,
  ],
  [
    'an old Linux',
    'cuda',
    NO_CUDA,
    {
      loader:
        "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by libonnxruntime_providers_cuda.so)",
    },
    /need GLIBC_2\.28/,
    /distribution/,
  ],
  [
    'what else the loader says',
    'cuda',
    NO_CUDA,
    { loader: 'a.so: file too short' },
    /cannot be loaded: a\.so: file too short/,
    /npm rebuild/,
  ],
  ['nothing from the loader', 'cuda', NO_CUDA, {}, /cannot be loaded$/, /npm rebuild/],
  [
    'no device',
    'cuda',
    failure('100: no CUDA-capable device is detected'),
    {},
    /^ONNX Runtime finds no CUDA device$/,
    /CUDA_VISIBLE_DEVICES/,
  ],
  [
    'an old driver',
    'cuda',
    failure('35: CUDA driver version is insufficient for CUDA runtime version'),
    {},
    /driver is too old/,
    /Update the driver/,
  ],
  [
    'no such device',
    'cuda',
    failure('101: invalid device ordinal'),
    { deviceId: 7 },
    /no CUDA device 7$/,
    /Choose one that `nvidia-smi -L` lists/,
  ],
  [
    'mixed drivers',
    'cuda',
    failure('803: system has unsupported display driver / cuda driver combination'),
    {},
    /do not go together: system has unsupported/,
    /Restart/,
  ],
  [
    'anything of CUDA',
    'cuda',
    failure('999: unknown error'),
    {},
    /^CUDA failed with error 999: unknown error$/,
    /nvidia-smi/,
  ],
  [
    'no adapter',
    'webgpu',
    NO_ADAPTER,
    {},
    /^ONNX Runtime finds no WebGPU adapter$/,
    /apt install libvulkan1/,
  ],
  [
    'no adapter on Windows',
    'webgpu',
    NO_ADAPTER,
    { platform: 'win32' },
    /no WebGPU adapter/,
    /newest driver/,
  ],
  ['no DirectX 12', 'dml', NO_DIRECTX, { platform: 'win32' }, /no GPU that DirectML can use/, /dxdiag/],
  [
    'no such GPU',
    'dml',
    NO_DIRECTX.replace('887A0004', '887A0002'),
    { platform: 'win32', deviceId: 3 },
    /no GPU 3/,
    /counting starts from 0/,
  ],
  [
    'Windows only',
    'dml',
    'no available backend found. ERR: [dml] backend not found.',
    {},
    /no dml for Linux on x64/,
    /Windows/,
  ],
  ['macOS only', 'coreml', 'backend not found', {}, /no coreml for Linux on x64/, /macOS/],
  [
    'Linux only',
    'cuda',
    'backend not found',
    { platform: 'win32' },
    /no cuda for Windows on x64/,
    /Linux on x64/,
  ],
  [
    'not on ARM',
    'webgpu-native',
    'backend not found',
    { arch: 'arm64' },
    /no webgpu-native for Linux on arm64/,
    /Linux on x64/,
  ],
  ['another build', 'cuda', 'backend not found', {}, /no cuda for Linux on x64/, /another build/],
  [
    'what nobody has seen',
    'coreml',
    'It broke.\nAt a place',
    { platform: 'darwin' },
    /^It broke\.$/,
    /notes on its coreml/,
  ],
];

test.each(MESSAGES)('%s', (_, name, message, facts, reason, fix) => {
  const found = diagnose(name, message, { ...LINUX, ...facts });
  expect(found.reason).toMatch(reason);
  expect(found.fix).toMatch(fix);
  expect(found.fix).not.toMatch(/\.$/); // a full stop follows it
  if (/ device 7| GPU 3/.test(found.reason)) expect(found.option).toEqual({ deviceId: null });
});

const onLinux = process.platform === 'linux' && process.arch === 'x64';

test('CUDA asked for without its libraries says that they are missing', async ({ skip }) => {
  skip(!onLinux, 'onnxruntime-node has CUDA for Linux on x64 only');
  const files = await readdir(nativeFolder());
  skip(files.includes('libonnxruntime_providers_cuda.so'), 'the CUDA libraries are installed');
  for (const name of ['cuda', 'tensorrt'] as const) {
    expect(await nodeProvider(name).availability()).toEqual({
      available: false,
      reason: 'the CUDA libraries of ONNX Runtime are not installed',
      fix: expect.stringContaining('npm rebuild onnxruntime-node'),
    });
  }
});

test('providers of other systems say which', async () => {
  const other = process.platform === 'win32' ? 'coreml' : 'dml';
  expect(await nodeProvider(other).availability()).toMatchObject({
    available: false,
    reason: expect.stringContaining(`onnxruntime-node has no ${other} for `),
  });
});

test('the loader says why it cannot load a library, and nothing of one that it can', async ({ skip }) => {
  skip(!onLinux, 'the messages are those of Linux');
  const folder = await tempFolder();
  const library = (part: string) => folder.at(`libonnxruntime_providers_${part}.so`);
  for (const part of ['shared', 'cuda'])
    await symlink(join(nativeFolder(), 'libonnxruntime.so.1'), library(part));
  await folder.write('libonnxruntime_providers_tensorrt.so', 'no library');
  expect(loaderSays('cuda', folder.path)).toBeUndefined();
  expect(loaderSays('tensorrt', folder.path)).toBe(`${library('tensorrt')}: file too short`);
  expect(loaderSays('other', folder.path)).toBe(`${library('other')}${ABSENT}`);
  expect(loaderSays('cuda', folder.at('away'))).toMatch(
    /away.libonnxruntime_providers_shared\.so: cannot open/,
  );
});

/** Opens a model on the provider in the arguments, and prints the error or nothing. */
const ASK = `
import { createRequire } from 'node:module';
const { env, InferenceSession } = createRequire(process.cwd() + '/')('onnxruntime-node');
env.logLevel = 'fatal';
const identity = 'CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0=';
try {
  await InferenceSession.create(Buffer.from(identity, 'base64'), { executionProviders: [process.argv[1]], logSeverityLevel: 4 });
} catch (error) {
  process.stdout.write(error.message);
}
process.exit();
`;

describe('with real libraries', () => {
  test.for(['cuda', 'tensorrt'] as const)(
    '%s runs, or what is missing has a name',
    async (name, { skip }) => {
      const given = process.env.ONNX_MISH_GPU_LIBS;
      if (given === undefined) return skip('ONNX_MISH_GPU_LIBS names no folder with them');
      const folder = await tempFolder();
      const modules = folder.at('node_modules');
      const original = join(nativeFolder(), '..', '..', '..', '..');
      // ONNX Runtime looks for its providers beside itself, so it needs a copy of its own.
      await cp(original, join(modules, 'onnxruntime-node'), {
        recursive: true,
        filter: (path) => !/bin.napi-v6.(darwin|win32|linux.arm64)/.test(path),
      });
      const common = dirname(
        dirname(dirname(createRequire(join(original, 'package.json')).resolve('onnxruntime-common'))),
      );
      await symlink(common, join(modules, 'onnxruntime-common'));
      const native = join(modules, 'onnxruntime-node', 'bin', 'napi-v6', 'linux', 'x64');
      await mkdir(native, { recursive: true });
      for (const file of await readdir(given)) {
        if (/^libonnxruntime_providers_\w+\.so$/.test(file)) {
          await symlink(resolve(given, file), join(native, file));
        }
      }
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', ASK, name],
        {
          cwd: folder.path,
        },
      );
      if (stdout === '') return;
      const { reason } = diagnose(name, stdout, { ...LINUX, loader: loaderSays(name, native) });
      console.log(`${name}: ${reason}`);
      expect(reason).toMatch(
        / is missing$|^ONNX Runtime finds no |^the NVIDIA driver is too old|^CUDA failed/,
      );
    },
  );
});
