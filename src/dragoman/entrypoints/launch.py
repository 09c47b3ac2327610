"""Becomes one child of the supervisor: `launch.py LEASH_SIGNAL SUPERVISOR_PID USER COMMAND…`, run as a plain script.

On Linux the kernel then sends LEASH_SIGNAL to the child when the supervisor dies, however it dies. Done here, after the
fork, because `preexec_fn` is unsafe beside threads; and after giving up root, because a change of user clears it.
Elsewhere the next start finds what was left behind (see `home.py`).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    leash_signal, supervisor_pid, user, *command = arguments
    if user:
        _become(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(leash_signal), 0, 0, 0)
    if os.getppid() != int(supervisor_pid):
        sys.exit("The supervisor ended before its child began.")  # it died before prctl could tell us
    os.execv(command[0], command)  # noqa: S606 -- this is what the script is for


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1:])
