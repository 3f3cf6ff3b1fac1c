import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { readText } from '../../files/read-stream.js';
import { temporaryFolder } from '../../files/temporary-folder.js';
import type { KernelTime } from '../provider.js';

/** Folder for the file of ONNX Runtime's profiler. */
export interface ProfileFolder {
  /** Prefix of the file's path. */
  readonly prefix: string;
  /** Reads the kernels from the file, in chronological order. Throws `io`. */
  kernels(): Promise<KernelTime[]>;
  remove(): Promise<void>;
}

/**
 * Pattern of a kernel in ONNX Runtime's profile. The profile is a Chrome trace in JSON, but node names are not escaped
 * (1.30.0), so JSON.parse may fail. The pattern matches the text around the names.
 */
const KERNEL =
  /\{"cat" : "Node","pid" :\d+,"tid" :\d+,"dur" :(\d+),"ts" :\d+,"ph" : "X","name" :"([\s\S]*?)_kernel_time","args" : \{([\s\S]*?)\}\},?\r?\n/g;

const argument = (args: string, name: string) => new RegExp(`"${name}" : "([^"]*)"`).exec(args)?.[1] ?? '';

/** Creates a temporary folder for a session's profile. */
export async function profileFolder(): Promise<ProfileFolder> {
  const folder = await temporaryFolder('profile');
  return {
    prefix: join(folder, 'profile'),
    async kernels() {
      const file = (await readdir(folder)).sort().at(-1); // a model that is opened twice has two, named by their times
      if (file === undefined)
        throw new OnnxMishError('io', 'ONNX Runtime wrote no profile', { where: folder });
      const text = await readText(join(folder, file));
      return [...text.matchAll(KERNEL)].map(([, us, node = '', args = '']) => ({
        node,
        op: argument(args, 'op_name'),
        provider: argument(args, 'provider'),
        us: Number(us),
      }));
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
