// Imported into a process (node --import), it leaves what the process took in the file that USAGE_FILE names.
import { writeFileSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpu: (userCPUTime + systemCPUTime) / 1e6, peak: maxRSS / 1024 }; // seconds, MiB
  writeFileSync(process.env.USAGE_FILE, JSON.stringify(usage));
});
