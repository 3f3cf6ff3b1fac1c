import type { Placement } from '../../providers/provider.js';

/**
 * Reads where ONNX Runtime placed the nodes from the verbose log of opening a session (VerifyEachNodeIsAssignedToAnEp
 * in its session_state.cc). Returns undefined if the log does not say.
 */
export function readPlacement(lines: readonly string[]): Placement | undefined {
  const counts: Record<string, number> = {};
  const moved: { node: string; op: string; provider: string }[] = [];
  let current: string | undefined;
  for (const line of lines.flatMap((text) => text.split('\n'))) {
    const group = /(?:All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(line);
    if (group !== null) {
      current = group[1] ?? '';
      counts[current] = (counts[current] ?? 0) + Number(group[2]);
      continue;
    }
    if (current !== 'CPUExecutionProvider') continue;
    const node = /\]\s+(\S+) \((.*)\)\s*$/.exec(line);
    if (node === null) current = undefined;
    else moved.push({ op: node[1] ?? '', node: node[2] ?? '', provider: current });
  }
  return Object.keys(counts).length === 0 ? undefined : { counts, moved };
}
