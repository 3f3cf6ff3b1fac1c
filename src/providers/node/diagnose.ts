import type { OptionHint } from '../../base/option-hint.js';
import type { ProviderName } from '../provider.js';

/** Facts about the machine on which a provider does not start. */
export interface MachineFacts {
  /** Value of `process.platform`. */
  readonly platform: string;
  /** Value of `process.arch`. */
  readonly arch: string;
  /** Error of the system's loader for the provider's library; ONNX Runtime's error does not contain it. */
  readonly loader?: string | undefined;
  /** Number of the requested device. */
  readonly deviceId?: number | undefined;
}

/** Reason why a provider does not start, and a remedy. */
export interface Diagnosis {
  readonly reason: string;
  readonly fix: string;
  /** The options that `fix` is about. */
  readonly option?: OptionHint | undefined;
}

/** Explains, from its error message, why a provider of onnxruntime-node does not start. */
export function diagnose(name: ProviderName, message: string, facts: MachineFacts): Diagnosis {
  const said = facts.loader === undefined ? message : `${message}\n${facts.loader}`;
  for (const { of, pattern, tell } of CASES) {
    const match = of === undefined || of.includes(name) ? pattern.exec(said) : null;
    if (match !== null) return tell(match, facts, name);
  }
  return { reason: firstLine(message), fix: `See ONNX Runtime’s notes on its ${name} provider` };
}

/** Pattern of an error message and its diagnosis; the first matching case is used. */
interface Case {
  /** Providers that the case applies to; default all. */
  readonly of?: readonly ProviderName[];
  readonly pattern: RegExp;
  readonly tell: (match: RegExpExecArray, facts: MachineFacts, name: ProviderName) => Diagnosis;
}

/** Platforms on which onnxruntime-node 1.30 has each provider, from its README. */
const HOMES: Readonly<Partial<Record<ProviderName, readonly [where: string, platform: RegExp]>>> = {
  cuda: ['Linux on x64', /^linux x64$/],
  tensorrt: ['Linux on x64', /^linux x64$/],
  dml: ['Windows', /^win32 /],
  coreml: ['macOS', /^darwin /],
  webgpu: ['Windows, macOS, and Linux on x64', /^(win32|darwin) |^linux x64$/],
};

const NVIDIA = ['cuda', 'tensorrt'] as const;
const WEBGPU = ['webgpu', 'webgpu-native'] as const;
const SYSTEMS: Readonly<Record<string, string>> = { linux: 'Linux', win32: 'Windows', darwin: 'macOS' };

const DOWNLOAD =
  'Run `ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node --foreground-scripts`, which downloads them from NuGet';

const CASES: readonly Case[] = [
  {
    pattern: /backend not found/,
    tell(_, { platform, arch }, name) {
      const [where, home] = HOMES[name === 'webgpu-native' ? 'webgpu' : name] ?? [];
      return {
        reason: `onnxruntime-node has no ${name} for ${SYSTEMS[platform] ?? platform} on ${arch}`,
        fix:
          where === undefined || home?.test(`${platform} ${arch}`)
            ? `${name} needs another build of onnxruntime-node`
            : `It has ${name} for ${where}`,
      };
    },
  },
  {
    of: NVIDIA,
    pattern: /libonnxruntime_providers_\w+\.so: cannot open shared object file/,
    tell: () => ({ reason: 'the CUDA libraries of ONNX Runtime are not installed', fix: DOWNLOAD }),
  },
  {
    of: NVIDIA,
    pattern: /libcuda\.so[.\d]*: cannot open shared object file/,
    tell: () => ({
      reason: 'ONNX Runtime finds no NVIDIA driver: libcuda.so.1 is missing',
      fix: 'Install the driver, until `nvidia-smi` lists the GPU; start a container with `--gpus all`',
    }),
  },
  {
    of: NVIDIA,
    pattern: /(lib[\w-]+)\.so(?:\.(\d+))?[.\d]*: cannot open shared object file/,
    tell: ([, library = '', major = '']) => missingLibrary(library, major),
  },
  {
    of: NVIDIA,
    pattern: /cuDNN library was not found/,
    tell: () => missingLibrary('libcudnn', '9'),
  },
  {
    of: NVIDIA,
    pattern: /version `(GLIBC\w*_[\d.]+)' not found/,
    tell: ([, version = '']) => ({
      reason: `the CUDA libraries of ONNX Runtime need ${version}, which this system lacks`,
      fix: 'Use a newer distribution',
    }),
  },
  {
    of: NVIDIA,
    pattern: /Failed to load shared library(?:\n(.+))?/,
    tell: ([, loader]) => ({
      reason: `the CUDA libraries of ONNX Runtime cannot be loaded${loader === undefined ? '' : `: ${loader}`}`,
      fix: DOWNLOAD,
    }),
  },
  {
    of: NVIDIA,
    pattern: /CUDA failure (\d+): ([^;]+?)\s*;/,
    tell: ([, code = '', text = ''], { deviceId }) => cudaFailure(code, text, deviceId),
  },
  {
    of: NVIDIA,
    pattern: /((?:CUDNN|CUBLAS|CURAND|CUFFT) failure \d+: [^;]+?)\s*;/,
    tell: ([, text = '']) => ({ reason: text, fix: 'Check that the versions of CUDA and cuDNN go together' }),
  },
  {
    of: WEBGPU,
    pattern: /Failed to get a WebGPU adapter/,
    tell: (_, { platform }) => ({
      reason: 'ONNX Runtime finds no WebGPU adapter',
      fix:
        platform === 'linux'
          ? 'It needs a GPU with a Vulkan driver, and libvulkan.so.1: `apt install libvulkan1 mesa-vulkan-drivers`, until `vulkaninfo --summary` lists the GPU'
          : 'It needs a GPU and its newest driver',
    }),
  },
  {
    of: ['dml'],
    // DXGI_ERROR_NOT_FOUND, DXGI_ERROR_UNSUPPORTED, and E_INVALIDARG, which DirectML gives for a software adapter
    pattern: /887A000[24]|dml_provider_factory.*80070057/i,
    tell: (_, { deviceId }) => ({
      reason: `ONNX Runtime finds no ${deviceId === undefined ? 'GPU' : `GPU ${deviceId}`} that DirectML can use`,
      fix: `It needs one with DirectX 12 and its newest driver: \`dxdiag\` lists them${deviceId === undefined ? '' : ', and counting starts from 0'}`,
      option: deviceId === undefined ? undefined : { deviceId: null },
    }),
  },
];

/** Diagnoses a missing NVIDIA library. The loader names only the first missing library, so the advice covers all. */
function missingLibrary(library: string, major: string): Diagnosis {
  const file = major === '' ? `${library}.so` : `${library}.so.${major}`;
  const cuda = cudaVersionOf(library, major);
  const [product, packages, aside = ''] = /^lib(nvinfer|nvonnxparser)/.test(library)
    ? ['TensorRT', `'tensorrt~=${major || '10'}.0'`]
    : library.startsWith('libcudnn')
      ? ['cuDNN', `'nvidia-cudnn-cu13~=${major || '9'}.0'`, ' (-cu12 for CUDA 12)']
      : cuda === undefined
        ? ['CUDA', cudaPackages(13), ' (for CUDA 12, each name ends in -cu12)']
        : [`CUDA ${cuda}`, cudaPackages(cuda)];
  return {
    reason: `${file} of ${product} is missing`,
    fix: `Install it, for example with \`pip install ${packages}\`${aside}, and name its folder in LD_LIBRARY_PATH`,
  };
}

/**
 * Returns the major version of CUDA that a library is part of, from the library's; undefined where that does not tell it, as
 * libcurand.so.10, which CUDA 11, 12 and 13 have. The version of cuFFT is one less than that of CUDA.
 */
function cudaVersionOf(library: string, major: string): number | undefined {
  if (major === '') return undefined;
  if (/^lib(cublas|cudart)/.test(library)) return Number(major);
  return library.startsWith('libcufft') ? Number(major) + 1 : undefined;
}

/** Returns the packages of CUDA on PyPI. Up to CUDA 12, NVIDIA's packages have the version in their names. */
function cudaPackages(major: number): string {
  const suffix = major >= 13 ? '' : `-cu${major}`;
  return ['cuda-runtime', 'cublas', 'curand', 'cufft'].map((part) => `nvidia-${part}${suffix}`).join(' ');
}

/** Diagnoses a CUDA error by its number, a cudaError_t. */
function cudaFailure(code: string, text: string, deviceId: number | undefined): Diagnosis {
  switch (code) {
    case '2':
      return { reason: 'the GPU has no memory left', fix: 'See with `nvidia-smi` what takes it' };
    case '35':
      return {
        reason: 'the NVIDIA driver is too old for the CUDA that ONNX Runtime uses',
        fix: 'Update the driver: the CUDA version that `nvidia-smi` shows is the newest that it can serve',
      };
    case '100':
      return {
        reason: 'ONNX Runtime finds no CUDA device',
        fix: 'Check that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not hide it',
      };
    case '101':
      return {
        reason: `ONNX Runtime finds no CUDA device ${deviceId ?? 0}`,
        fix: 'Choose one that `nvidia-smi -L` lists; CUDA_VISIBLE_DEVICES hides some',
        option: { deviceId: null },
      };
    case '209':
      return {
        reason: 'this build of ONNX Runtime does not support this GPU',
        fix: 'It needs another GPU, or a build of ONNX Runtime for this one',
      };
    case '803':
    case '804':
      return {
        reason: `the parts of the NVIDIA driver do not go together: ${text}`,
        fix: 'Restart the machine after an update of the driver, until `nvidia-smi` works',
      };
    default:
      return { reason: `CUDA failed with error ${code}: ${text}`, fix: 'Check that `nvidia-smi` works' };
  }
}

function firstLine(message: string): string {
  return message.trim().split('\n')[0]?.slice(0, 300) ?? '';
}
