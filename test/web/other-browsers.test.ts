// The exported workbench in browsers that are no Chromium, if they are installed: Debian’s firefox-esr, and MiniBrowser of WebKitGTK. No
// tool drives them: a script in the page presses its buttons, and sends what it reads.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { preview } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import { cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';

/** Programs by the name of the browser, each with what stands before the address; `profile` is an empty folder. */
const BROWSERS = {
  Firefox: {
    program: '/usr/bin/firefox-esr',
    args: (profile: string) => ['--headless', '--no-remote', '--profile', profile],
    needsDisplay: false,
  },
  WebKit: {
    program: '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser',
    args: () => [],
    needsDisplay: true,
  },
} as const;

/** What the page’s script does: LeNet-5 swapped and run, repaired and trained, and four activations compared. */
const DRIVER = `
const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.getClientRects().length > 0);
const named = (selector, name) => all(selector).find((one) => name.test(one.innerText.trim()) && !one.disabled && one.ariaDisabled !== 'true');
async function until(find) {
  for (let value = find(); ; value = find()) {
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const press = async (name) => (await until(() => named('button, a, label', name))).click();
const heading = (name) => until(() => named('h1, h2', name));
const fill = async (name, value) => {
  const { control } = await until(() => named('label', name));
  control.value = value;
  for (const type of ['input', 'change']) control.dispatchEvent(new Event(type, { bubbles: true }));
};
const lines = () => all('main')[0].innerText;
const answers = {};
const PARTS = {
  async run() {
    await press(/^LeNet-5$/);
    await press(/^Swap 4 sites$/);
    await until(() => named('a', /^Download lenet5.mish.onnx$/));
    await press(/^Ours/);
    await fill(/^Timed pairs/, '3');
    await press(/^Run both$/);
    return (await until(() => /top-1 goes from .* points/.exec(lines())))[0];
  },
  async repair() {
    await press(/^Repair$/);
    await heading(/^Repair$/);
    await press(/^nothing more$/);
    await until(() => named('button', /^Repair$/));
    named('button', /^Repair$/).click();
    await heading(/^Repaired$/);
    return /^scores\\s+calibrated.*$/m.exec(lines())[0];
  },
  async finetune() {
    await press(/^Fine-tune$/);
    await press(/^Try it/);
    await heading(/^Result$/);
    return /(No difference|Mish|The original).* test samples/.exec(lines())[0];
  },
  async compare() {
    await press(/^Compare$/);
    await heading(/^Compare activations$/);
    await fill(/^Epochs$/, '1');
    await press(/^Watch them learn$/);
    await heading(/^Result$/);
    return lines().match(/^(ReLU|LeakyReLU|Swish|Mish)\\t/gm).join('');
  },
};
const send = () => fetch('answers', { method: 'POST', body: JSON.stringify(answers) });
for (const [name, part] of Object.entries(PARTS)) {
  answers.at = name;
  await send();
  answers[name] = await part().catch(String);
}
answers.at = 'end';
await send();
`;

/** Serves the exported page. The last of what the driver sent is in `answers`. */
async function servePage(site: string) {
  const state = { answers: {} };
  const server = await preview({
    plugins: [
      {
        name: 'answers',
        configurePreviewServer({ middlewares }) {
          middlewares.use('/answers', async (request, response) => {
            state.answers = JSON.parse(await text(request));
            response.end();
          });
        },
      },
    ],
    build: { outDir: site },
    preview: { host: '127.0.0.1', port: 0 },
    logLevel: 'silent',
  });
  onTestFinished(() => server.close());
  return { url: server.resolvedUrls?.local[0] ?? '', state };
}

test.for(Object.entries(BROWSERS))(
  '%s swaps, runs, repairs, trains and compares as Chromium does',
  async ([, { program, args, needsDisplay }], { skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    skip(!existsSync(program), `${program} is not installed`);
    skip(needsDisplay && !process.env.DISPLAY, 'there is no display');
    const site = join((await tempFolder()).path, 'site');
    expect(await cli(['ui', '--export', site])).toMatchObject({ code: 0 });
    const index = join(site, 'index.html');
    const script = '<script type="module" src="./driver.js"></script></body>';
    await writeFile(index, (await readFile(index, 'utf8')).replace('</body>', script));
    await writeFile(join(site, 'driver.js'), DRIVER);
    const { url, state } = await servePage(site);
    const profile = (await tempFolder()).path;
    const browser = spawn(program, [...args(profile), url], {
      stdio: 'ignore',
      detached: true, // with its children, which are killed with it
      // As root, WebKit starts only without its sandbox. The page is ours.
      env: { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' },
    });
    onTestFinished(() => void process.kill(-(browser.pid ?? 0), 'SIGKILL'));
    await expect.poll(() => state.answers, { timeout: 240_000, interval: 200 }).toMatchObject({ at: 'end' });
    expect(state.answers).toEqual({
      at: 'end',
      run: expect.stringContaining('from 91.80 % to 87.60 %'),
      repair: expect.stringMatching(/^scores\s+calibrated\s+3\d/),
      finetune: expect.stringContaining('200 test samples'),
      compare: 'ReLU\tLeakyReLU\tSwish\tMish\t',
    });
  },
);
