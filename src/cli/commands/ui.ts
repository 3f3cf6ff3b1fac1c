import { spawn } from 'node:child_process';
import { Command } from 'commander';
import { aborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import type { DataAccess } from '../../files/external-data.js';
import { type PageServer, servePage } from '../../providers/browser/server.js';
import { HANDED_HASH } from '../../web/workbench/protocol.js';
import { interruptible } from '../io/exit.js';
import { notAFolder } from '../options/many-options.js';
import { commonOptions, configOptions, count, dataAccess } from '../options/options.js';
import { say, sayJson } from '../text/say.js';
import { clean, integer } from '../text/text.js';
import { exportWorkbench, handedFiles, policyOf, workbenchFiles } from './workbench-files.js';

/** Options of the command, as parsed by commander. */
interface Flags extends DataAccess {
  readonly port?: number;
  readonly host: string;
  readonly open: boolean;
  readonly export?: string;
  readonly json?: boolean;
}

export function command(): Command {
  const ui = new Command('ui')
    .summary('inspect, swap and compare a model in a browser')
    .description('Serves the workbench on this machine and opens it in the browser. Models are not uploaded.')
    .argument('[model]', 'an ONNX file to open, with its external data beside it')
    .option('--port <number>', 'port to listen on (default: any free port)', count)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--no-open', 'print the address, and do not open a browser')
    .option('--export <folder>', 'write the page as static files for any web server, and do not serve');
  return commonOptions(configOptions(dataAccess(ui)))
    .addHelpText(
      'after',
      `
The server runs until Ctrl-C. The page has a path that cannot be guessed. The server answers requests to IP addresses and to
localhost, and to no other host name. --export writes 44 MB, nearly all of it ONNX Runtime. The files work in any folder of a web
server, such as GitHub Pages.

Examples:
  $ onnx-mish ui
  $ onnx-mish ui model.onnx
  $ onnx-mish ui model.onnx --port 8080 --no-open
  $ onnx-mish ui --export site`,
    )
    .action(run);
}

async function run(
  model: string | undefined,
  { port, host, open, export: folder, json, allowOutsideData }: Flags,
): Promise<void> {
  if (folder !== undefined) return exportTo(folder, model, json ?? false);
  const signal = interruptible();
  const files = new Map([
    ...(await workbenchFiles()),
    ...(model === undefined ? [] : await handedFiles(model, { allowOutsideData }, signal)),
  ]);
  const server = await serve(files, host, port);
  try {
    const url = server.url + (model === undefined ? '' : HANDED_HASH);
    if (json) sayJson({ url, model: model ?? null });
    else say(`The workbench${model === undefined ? '' : ` with ${clean(model)}`}: ${url}\nCtrl-C ends it.`);
    if (open) openBrowser(url);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await server.close();
  }
  throw aborted();
}

async function exportTo(folder: string, model: string | undefined, json: boolean): Promise<void> {
  if (model !== undefined) {
    const fix = 'Leave the model out: readers of the page open their own';
    throw new OnnxMishError('bad-usage', '--export takes no model', { where: model, fix });
  }
  if (folder === '-') throw notAFolder('--export');
  const { files, bytes } = await exportWorkbench(folder, interruptible());
  if (json) sayJson({ folder, files, bytes });
  else
    say(`${clean(folder)}: ${integer(files)} files, ${integer(bytes)} bytes. Any web server can host them.`);
}

async function serve(
  files: Parameters<typeof servePage>[0],
  host: string,
  port: number | undefined,
): Promise<PageServer> {
  if (port !== undefined && port > 65535) {
    throw new OnnxMishError('bad-usage', `port ${port} is greater than 65535`, {
      fix: 'Choose a smaller port',
    });
  }
  if (host === '') {
    // Node would listen on every address.
    throw new OnnxMishError('bad-usage', 'the address to listen on is empty', {
      fix: 'Give an address such as 127.0.0.1, or leave out --host',
    });
  }
  try {
    return await servePage(files, { host, port, policy: policyOf });
  } catch (cause) {
    const where = `${host}:${port ?? 0}`;
    throw new OnnxMishError('io', `the server cannot listen there: ${messageOf(cause)}`, {
      where,
      fix: 'Give another --port or --host, or leave both out',
      cause,
    });
  }
}

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
};

/** Opens the user's browser. Ignores failures, since the address is printed. */
function openBrowser(url: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
