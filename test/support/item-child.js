// Inspects a model in a process of its own, from dist/, and prints what came of it: node item-child.js model.onnx
import { inspect, OnnxMishError } from '../../dist/index.js';
import { openModel } from '../../dist/node/index.js';

const [, , path = ''] = process.argv;
const file = await openModel(path);
const says = await inspect(file).then(
  () => 'ok',
  (error) => (error instanceof OnnxMishError ? `${error.code}: ${error.what}` : `RAW ${error.stack}`),
);
await file.close();
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    says,
    seconds: (user + system) / 1e6,
    mebibytes: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
