import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

// Says what each file of tests takes, on Linux: `CPU_TIMES=/tmp/times.txt python3 test/bench/cpu.py npx vitest run
// --no-file-parallelism` writes a line for each file, with the seconds of processor time of Vitest, its workers, and all
// processes that they start; before it, a line for each of its tests that takes long, with the short ones before it.

const HERTZ = 100;
const LONG_SECONDS = 0.3;
/** Milliseconds that a test lasts before it is worth to read /proc, which takes some of them itself. */
const LONG_MS = 150;

interface Process {
  readonly parent: number;
  /** Of itself, and of its children that have ended. */
  readonly ticks: number;
}

function allProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const ticks = fields.slice(11, 15).reduce((sum, part) => sum + part, 0);
      processes.set(Number(name), { parent: fields[1] ?? 0, ticks });
    } catch {} // ended meanwhile
  }
  return processes;
}

/** Seconds of processor time of a process and all below it. */
function secondsBelow(root: number): number {
  const processes = allProcesses();
  const isBelow = (id: number): boolean => {
    for (let at: number | undefined = id; at; at = processes.get(at)?.parent) if (at === root) return true;
    return false;
  };
  let ticks = 0;
  for (const [id, process] of processes) if (isBelow(id)) ticks += process.ticks;
  return ticks / HERTZ;
}

const root = Number(process.env.CPU_ROOT ?? process.ppid);
const before = secondsBelow(root);
const file = relative(process.cwd(), expect.getState().testPath ?? '?');

const write = (seconds: number, what: string) =>
  appendFileSync(process.env.CPU_TIMES ?? '', `${seconds.toFixed(2)} ${what}\n`);

let [beforeTest, begun] = [before, 0];
beforeEach(() => {
  begun = performance.now();
});
afterEach(({ task }) => {
  if (performance.now() - begun < LONG_MS) return;
  const now = secondsBelow(root);
  if (now - beforeTest > LONG_SECONDS) write(now - beforeTest, `${file}: ${task.name}`);
  beforeTest = now;
});
afterAll(() => write(secondsBelow(root) - before, file));
