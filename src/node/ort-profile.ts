import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnnxMishError } from '../onnx/error.js';

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

/** As much of an event as is read here: Chrome's trace format, with ONNX Runtime's own arguments. */
interface Event {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

const KERNEL = '_kernel_time';

/** A temporary folder for one session's profile. */
export async function profileFolder(): Promise<ProfileFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-profile-'));
  return {
    prefix: join(folder, 'profile'),
    async kernels() {
      const [file] = await readdir(folder);
      if (file === undefined)
        throw new OnnxMishError('io', 'ONNX Runtime wrote no profile', { where: folder });
      const events: readonly Event[] = JSON.parse(await readFile(join(folder, file), 'utf8'));
      return events.flatMap(({ cat, name = '', dur = 0, args }): Kernel[] => {
        if (cat !== 'Node' || !name.endsWith(KERNEL)) return [];
        const node = name.slice(0, -KERNEL.length);
        return [{ node, op: args?.op_name ?? '', provider: args?.provider ?? '', us: dur }];
      });
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
