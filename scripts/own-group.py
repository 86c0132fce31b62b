#!/usr/bin/env python3
"""Runs a command in a process group of its own, which gets the terminal, and exits with its code.

Ctrl-C goes to all of the terminal's foreground process group. make, being part of it, dies of the
signal even when the command ends cleanly with 0. Signals that reach this process are passed on.
"""

import os
import signal
import sys


def main():
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
        if os.tcgetpgrp(terminal) != os.getpgrp():
            terminal = None  # started in the background: leave the terminal alone
    except OSError:
        terminal = None

    # Handing over the terminal from a group that does not have it raises SIGTTOU.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        if terminal is not None:
            os.tcsetpgrp(terminal, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        # make's children may have inherited an ignored SIGINT, as in `make run &`.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            os.execvp(sys.argv[1], sys.argv[1:])
        except OSError as error:
            print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr)
            os._exit(127)

    try:
        os.setpgid(child, child)  # in both, so that it holds whichever runs first
    except OSError:
        pass

    def forward(number, _frame):
        try:
            os.killpg(child, number)
        except ProcessLookupError:
            pass

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, forward)

    _, status = os.waitpid(child, 0)
    if terminal is not None:
        try:
            os.tcsetpgrp(terminal, os.getpgrp())
        except OSError:
            pass  # the terminal is gone
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


sys.exit(main())
