"""Runs a command and prints the seconds of processor time of all processes that it started.

Browsers end by a signal, and their processes go to init, where `time` does not see them: here they come to this process.

    python3 test/bench/cpu.py npx vitest run --no-file-parallelism test/web
"""

import ctypes
import os
import resource
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
# test/support/cpu-times.ts counts what is below this process.
command = subprocess.Popen(sys.argv[1:], env={**os.environ, 'CPU_ROOT': str(os.getpid())})
code = 0
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    if pid == command.pid:
        code = os.waitstatus_to_exitcode(status)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f'{used.ru_utime:.1f} s user, {used.ru_stime:.1f} s system', file=sys.stderr)
sys.exit(code)
