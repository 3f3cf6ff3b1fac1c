// Runs the short version of the Mish paper's experiment on Fashion-MNIST: `npm run experiment` in the repository.
//
//     node examples/experiment/fashion.js [folder] [options of experiment]
//
// The folder gets the samples and the report; a second start goes on where the first stopped. The data is Debian's package
// dataset-fashion-mnist, the four files of Fashion-MNIST in the folder that FASHION_MNIST names, or train.npz and test.npz
// (arrays `images` and `y`) that lie in the first folder.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Sized for less than 20 minutes on two cores. */
const [SAMPLES, EPOCHS, SEEDS] = [4000, 8, 3];

const root = fileURLToPath(new URL('../../', import.meta.url));
const [folder = join(root, '.demo', 'experiment'), ...more] = process.argv.slice(2);
const run = (program, ...args) => {
  const { status } = spawnSync(process.execPath, [join(root, program), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

mkdirSync(folder, { recursive: true });
const [train, test] = ['train.npz', 'test.npz'].map((name) => join(folder, name));
const missing = [train, test].filter((path) => !existsSync(path));
if (missing.length === 2) run('models/fashion-npz.js', folder, String(SAMPLES));
else if (missing.length === 1) {
  console.error(
    `${missing[0]} is missing. Put it beside the other archive, or remove that one to write both anew.`,
  );
  process.exit(2);
}
run(
  'dist/bin/main.cjs',
  ...['experiment', join(root, 'models', 'untrained', 'resnet20.onnx')],
  ...['--data', train, '--labels', 'y', '--test', test],
  ...['--epochs', String(EPOCHS), '--seeds', String(SEEDS), '--augment', 'flip', '--landscape', '11'],
  ...['-o', join(folder, 'result.json'), '--report', join(folder, 'result.html'), '--force', '--resume'],
  ...more,
);
