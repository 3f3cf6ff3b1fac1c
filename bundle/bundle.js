// Bundles what tsc has written into dist: packages into dist/vendor, the command into dist/bin, the page that providers
// run in a browser into dist/page.
import { build } from 'rolldown';
import { vendor } from './vendor.js';

await vendor();
await build([
  {
    input: 'dist/cli/main.js',
    platform: 'node',
    external: /^[^./]|[\\/]dist[\\/]vendor[\\/]/,
    output: { dir: 'dist/bin' },
  },
  { input: 'dist/web/harness/harness.js', platform: 'browser', output: { dir: 'dist/page' } },
]);
