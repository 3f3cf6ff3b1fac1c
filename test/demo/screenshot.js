// The README's picture of the workbench, and how long a reader waits for its first results.
// `npm run screenshot` writes test/demo/workbench.png and prints the times.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { handedFiles, policyOf, workbenchFiles } from '../../dist/cli/commands/workbench-files.js';
import { findBrowser } from '../../dist/providers/browser/find.js';
import { servePage } from '../../dist/providers/browser/server.js';

const MOST = 200_000;
const ROUNDS = 5;
const ARGS = [
  ...['--no-sandbox', '--disable-dev-shm-usage', '--use-gl=angle', '--use-angle=swiftshader'],
  ...['--enable-unsafe-swiftshader', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
];
const model = fileURLToPath(new URL('../../models/lenet5.onnx', import.meta.url));
const picture = fileURLToPath(new URL('workbench.png', import.meta.url));

const server = await servePage(new Map([...(await workbenchFiles()), ...(await handedFiles(model))]), {
  policy: policyOf,
});
const browser = await chromium.launch({ executablePath: (await findBrowser()).path, args: ARGS });

/** Opens the page with the model, and presses what a reader presses as soon as it is there. */
async function visit() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const start = performance.now();
  const since = () => performance.now() - start;
  await page.goto(`${server.url}#model`);
  await page.getByRole('button', { name: /^Swap \d/ }).click();
  await page.getByRole('link', { name: /^Download/ }).waitFor();
  const swapped = since();
  await page.getByRole('button', { name: 'Run both' }).click();
  await page
    .getByText(/^Median/)
    .first()
    .waitFor();
  return { page, times: { swapped, latency: since() } };
}

const visits = [];
for (let round = 0; round < ROUNDS; round++) {
  const { page, times } = await visit();
  visits.push(times);
  await page.close();
}
const row = (/** @type {'swapped' | 'latency'} */ what) => {
  const [least = 0, , middle = 0, , most = 0] = visits.map((times) => times[what]).sort((a, b) => a - b);
  return `${Math.round(middle)} ms (${Math.round(least)} to ${Math.round(most)})`;
};
console.log(`Workbench, from opening the page with lenet5.onnx; median of ${ROUNDS} visits (all of them)`);
console.log(`  to the first swapped model    ${row('swapped')}`);
console.log(`  to the first latency figure   ${row('latency')}, the check of all three providers included`);

const { page } = await visit();
await page.getByRole('button', { name: 'Report as JSON' }).waitFor({ timeout: 120_000 });
await page.getByRole('button', { name: 'Show the inputs of this site' }).click();
await page.getByText('where Mish bends').waitFor();
await page.mouse.move(0, 0);
// A palette is enough for a page of few colours.
const png = await sharp(await page.screenshot({ fullPage: true }))
  .png({ palette: true, quality: 90, effort: 10 })
  .toBuffer();
await browser.close();
await server.close();
if (png.length > MOST) throw new Error(`the picture has ${png.length} bytes, more than ${MOST}`);
await writeFile(picture, png);
console.log(`  test/demo/workbench.png       ${png.length.toLocaleString('en')} bytes`);
