// A Python script that answers each line of input with a line of JSON.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The Python of the benchmarks. */
export const python = process.env.PYTHON ?? 'python3';

/** Starts a script of this folder, and returns its first answer with the functions that ask it more, and end it. */
export async function askPython(script, args = []) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(python, ['-W', 'ignore', path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`${script} ended`);
    return JSON.parse(value);
  };
  const first = await answer();
  const ask = (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer();
  };
  return { first, ask, close: () => child.stdin.end() };
}
