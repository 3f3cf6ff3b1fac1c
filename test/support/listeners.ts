import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { descendants } from './processes.js';

/** A socket that somebody else can connect to. */
export interface Listener {
  readonly pid: number;
  /** Of TCP the address and port in hexadecimal as /proc has them, of others the path; `@` begins an abstract one. */
  readonly address: string;
  readonly kind: 'tcp' | 'udp' | 'unix';
}

/** Whatever this process and those below it listen on. Linux only: it reads /proc. */
export function listeners(of = process.pid): Listener[] {
  // The kernel takes milliseconds for these tables, which are the same for all processes of a network namespace.
  const tables = new Map<string, ReturnType<typeof openSockets>>();
  return [of, ...descendants(of).map((child) => child.pid)].flatMap((pid) => {
    const namespace = namespaceOf(pid);
    if (!tables.has(namespace)) tables.set(namespace, openSockets(pid));
    const inodes = socketsOf(pid);
    return (tables.get(namespace) ?? [])
      .filter(({ inode }) => inodes.has(inode))
      .map(({ kind, address }) => ({ pid, kind, address }));
  });
}

/** Returns the open sockets of a process's network namespace. */
const openSockets = (pid: number) =>
  TABLES.flatMap(({ kind, file, isOpen, address, inode }) =>
    linesOf(`/proc/${pid}/net/${file}`)
      .map((line) => line.trim().split(/\s+/))
      .filter(isOpen)
      .map((fields) => ({ kind, address: fields[address] ?? '', inode: fields[inode] ?? '' })),
  );

/** Returns the name of a process's network namespace, or the process's own where it has ended. */
function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return `${pid}`;
  }
}

const LISTENS = '0A';
/** In the flags of a socket of the Unix kind: it accepts connections. */
const ACCEPTS = 0x10000;
const isTcp = (fields: string[]) => fields[3] === LISTENS;
/** One without a peer takes what anybody sends. */
const isUdp = (fields: string[]) => /^0+:0+$/.test(fields[2] ?? '');
const TABLES = [
  { kind: 'tcp', file: 'tcp', isOpen: isTcp, address: 1, inode: 9 },
  { kind: 'tcp', file: 'tcp6', isOpen: isTcp, address: 1, inode: 9 },
  { kind: 'udp', file: 'udp', isOpen: isUdp, address: 1, inode: 9 },
  { kind: 'udp', file: 'udp6', isOpen: isUdp, address: 1, inode: 9 },
  {
    kind: 'unix',
    file: 'unix',
    isOpen: (fields: string[]) => (Number.parseInt(fields[3] ?? '', 16) & ACCEPTS) !== 0,
    address: 7,
    inode: 6,
  },
] as const;

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1, -1);
  } catch {
    return []; // ended in the meantime, or without IPv6
  }
}

/** The numbers of the sockets that a process has open. */
function socketsOf(pid: number): Set<string> {
  const numbers = new Set<string>();
  try {
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`)) ?? [];
      if (inode !== undefined) numbers.add(inode);
    }
  } catch {} // ended in the meantime
  return numbers;
}
