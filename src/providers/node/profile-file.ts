import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { readText } from '../../files/read-stream.js';
import { temporaryFolder } from '../../files/temporary-folder.js';

/** One kernel of one run. */
interface Kernel {
  readonly node: string;
  readonly op: string;
  readonly provider: string;
  /** Microseconds. */
  readonly us: number;
}

/** A folder that ONNX Runtime's profiler writes to. */
export interface ProfileFolder {
  /** What the name of its file begins with. */
  readonly prefix: string;
  /** The kernels in the file it has written, in the order of time. Throws `io`. */
  kernels(): Promise<Kernel[]>;
  remove(): Promise<void>;
}

/**
 * A kernel in ONNX Runtime's profile. It is JSON in the shape of Chrome's traces, but the names of nodes stand in it as
 * they are, quotes and all (1.30.0), so what is around them is looked for.
 */
const KERNEL =
  /\{"cat" : "Node","pid" :\d+,"tid" :\d+,"dur" :(\d+),"ts" :\d+,"ph" : "X","name" :"([\s\S]*?)_kernel_time","args" : \{([\s\S]*?)\}\},?\r?\n/g;

const argument = (args: string, name: string) => new RegExp(`"${name}" : "([^"]*)"`).exec(args)?.[1] ?? '';

/** A temporary folder for one session's profile. */
export async function profileFolder(): Promise<ProfileFolder> {
  const folder = await temporaryFolder('profile');
  return {
    prefix: join(folder, 'profile'),
    async kernels() {
      const [file] = await readdir(folder);
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
