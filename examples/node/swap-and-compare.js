import { swapFile } from 'onnx-mish/node';
import { renderTerminal } from 'onnx-mish/report';
import { validateFiles } from 'onnx-mish/validate';

const [input, output] = process.argv.slice(2);

const { report } = await swapFile(input, { output, target: 'cpu', force: true });
console.log(`${report.sites.length} activations swapped in the ${report.form} form`);

const result = await validateFiles(input, output, { providers: ['cpu'] });
console.log(renderTerminal(result));
