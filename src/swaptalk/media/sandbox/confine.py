"""Drop rights of the decoding process: memory, writing, other programs, the network.

Limits of resources hold on all POSIX systems (macOS ignores the one on memory), the filter of
system calls on Linux with x86-64 or arm64. On other systems the process is separate, and ended when
it takes too long, but no more.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

#: Open files: the media file twice, pipes, shared memory, and what Python opens for a late import.
MAX_OPEN_FILES = 64

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: Offsets in struct seccomp_data.
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16
#: Calls that are refused, with their numbers on x86-64 and arm64 (-1: does not exist there).
#: Reading files, threads and memory stay allowed; so do signals to oneself, by which a crashing
#: decoder ends.
_REFUSED = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "socketpair": (53, 199),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, -1),
    "vfork": (58, -1),
    "kill": (62, 129),
    "tkill": (200, 130),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "creat": (85, -1),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "mknod": (133, -1),
    "mknodat": (259, 33),
    "mkdir": (83, -1),
    "mkdirat": (258, 34),
    "rmdir": (84, -1),
    "unlink": (87, -1),
    "unlinkat": (263, 35),
    "rename": (82, -1),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, -1),
    "linkat": (265, 37),
    "symlink": (88, -1),
    "symlinkat": (266, 36),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
}
#: Newer forms whose arguments lie in memory, where a filter cannot look: callers fall back to the
#: older form.
_UNKNOWN = {"openat2": (437, 437), "clone3": (435, 435)}
#: (call, number of the argument, mask, value): allowed only if argument & mask == value.
_CONDITIONAL = (
    ((2, -1), 1, os.O_ACCMODE if hasattr(os, "O_ACCMODE") else 3, 0),  # open: for reading
    ((257, 56), 2, os.O_ACCMODE if hasattr(os, "O_ACCMODE") else 3, 0),  # openat: for reading
    ((56, 220), 0, 0x10000, 0x10000),  # clone: threads only
)


def limit_resources(memory_bytes: int) -> None:
    """Bound memory and open files, and forbid files that grow and core dumps. Does nothing on
    Windows.
    """
    if sys.platform == "win32":
        return
    import resource

    # Private memory where the system counts it (Linux), else address space.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for what, most in (
        (kind, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (bound, bound))
        except (ValueError, OSError):
            continue  # macOS refuses a bound on memory below what is mapped already


def limit_cpu(seconds: float) -> None:
    """Limit the processor time from now on, in seconds. No effect on Windows."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = int(used.ru_utime + used.ru_stime + seconds) + 1
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def filter_system_calls() -> bool:
    """Refuse network, programs, other processes and writing of files from now on, in threads to
    come as well.

    Returns:
        Whether the filter is in force: on Linux with x86-64 or arm64, unless the kernel has none.
    """
    machine = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if sys.platform != "linux" or machine is None or struct.calcsize("P") != 8:
        return False
    program = b"".join(_program(machine))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        return False
    filters = Program(len(program) // 8, program)
    refused = libc.prctl(
        _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(filters), zero, zero
    )
    return not refused


def _program(machine: int) -> list[bytes]:
    """Berkeley packet filter over struct seccomp_data (linux/seccomp.h) for one of the two
    architectures.
    """
    load, equal, at_least, mask, answer = 0x20, 0x15, 0x35, 0x54, 0x06

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("<HBBI", code, if_true, if_false, value)

    lines = [
        instruction(load, _ARCH),
        instruction(equal, tuple(_AUDIT_ARCH.values())[machine], 1, 0),
        instruction(answer, _KILL),
        instruction(load, _NUMBER),
        instruction(at_least, 0x40000000, 0, 1),  # the x32 forms of all calls
        instruction(answer, _REFUSE | _EPERM),
    ]
    for calls, error in ((_REFUSED, _EPERM), (_UNKNOWN, _ENOSYS)):
        for numbers in calls.values():
            if numbers[machine] >= 0:
                lines += [
                    instruction(equal, numbers[machine], 0, 1),
                    instruction(answer, _REFUSE | error),
                ]
    for numbers, argument, bits, value in _CONDITIONAL:
        if numbers[machine] >= 0:
            lines += [
                instruction(equal, numbers[machine], 0, 5),
                instruction(load, _ARGUMENT + 8 * argument),
                instruction(mask, bits),
                instruction(equal, value, 0, 1),
                instruction(answer, _ALLOW),
                instruction(answer, _REFUSE | _EPERM),
            ]
    return [*lines, instruction(answer, _ALLOW)]
