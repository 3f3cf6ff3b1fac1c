#!/usr/bin/env node
import { run } from './run.js';

run(process.argv);

// Printing progress to a closed terminal fails, which must not prevent the cleanup.
process.stderr.on('error', () => {});
