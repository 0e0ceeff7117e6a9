#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""First process of a ./dev run: starts the command, passes signals on, reaps, reports its exit.

The kernel drops signals that process 1 of a PID namespace has no handler for, and nobody else
would collect orphans. When this process ends the kernel ends everything left in the namespace,
so a run cannot leave a process behind.

Usage: init.py DIRECTORY COMMAND [ARGUMENT...]
"""

import os
import signal
import sys
import time

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
SI_KERNEL = 0x80


def start(directory, argv):
    pid = os.fork()
    if pid:
        return pid
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    for sig in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(sig, signal.SIG_DFL)
    try:
        os.chdir(directory)
        os.execvp(argv[0], argv)
    except OSError as err:
        print(f"dev: cannot run {argv[0]}: {err.strerror}", file=sys.stderr)
        os._exit(126 if isinstance(err, PermissionError) else 127)


def reap(child):
    """Collect every process that ended; return the exit code of the child, None while it runs."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code


def main():
    watched = set(PASSED_ON) | {signal.SIGCHLD}
    # SIGCHLD's default action is to be ignored, which would also discard it while blocked.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child = start(sys.argv[1], sys.argv[2:])
    from_terminal = {}
    while True:
        info = signal.sigwaitinfo(watched)
        if info.si_signo == signal.SIGCHLD:
            code = reap(child)
            if code is not None:
                sys.exit(code)
            continue
        # Ctrl-C reaches the whole terminal group, the command included, and ./dev then sends it
        # once more: the command must not take that for the impatient second Ctrl-C.
        now = time.monotonic()
        if info.si_code == SI_KERNEL:
            from_terminal[info.si_signo] = now
        elif now - from_terminal.get(info.si_signo, -1e9) > 0.5:
            try:
                os.kill(child, info.si_signo)
            except ProcessLookupError:
                pass


if __name__ == "__main__":
    main()
