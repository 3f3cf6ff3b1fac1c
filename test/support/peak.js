// Imported into a process (node --import), it leaves what the process took in the file that USAGE_FILE names.
import { writeFileSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  // Seconds, `user` without the kernel's, and MiB.
  const usage = { cpu: (userCPUTime + systemCPUTime) / 1e6, user: userCPUTime / 1e6, peak: maxRSS / 1024 };
  writeFileSync(process.env.USAGE_FILE, JSON.stringify(usage));
});
