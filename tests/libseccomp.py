"""libseccomp, as far as it takes to have it build a filter of the sandbox's rules: a second opinion on ours.

By its C interface (seccomp.h, version 2.5), as its bindings do. Nothing is loaded into the kernel.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Final

from edged.worker.sandbox.bpf import Rule

LIBRARY: Final = "libseccomp.so.2"
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
ACT_BADARCH, CTL_NNP, CTL_OPTIMIZE = 2, 3, 8  # enum scmp_filter_attr
MASKED_EQUAL: Final = 7  # enum scmp_compare
KILL_PROCESS: Final = 0x80000000
#: SCMP_ARCH_*: the kernel's names for them, by ``os.uname().machine``.
ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (
        *(("arg", ctypes.c_uint), ("op", ctypes.c_int)),
        *(("mask", ctypes.c_uint64), ("value", ctypes.c_uint64)),
    )


def library() -> ctypes.CDLL:
    """Raises ``OSError`` where there is none."""
    found = ctypes.CDLL(LIBRARY)
    found.seccomp_init.restype = ctypes.c_void_p
    return found


def knows(name: str) -> bool:
    """Whether it is old enough a call for this version."""
    return library().seccomp_syscall_resolve_name(name.encode()) != -1  # __NR_SCMP_ERROR


def program(rules: Iterable[Rule], machine: str, default: int) -> bytes:
    """The filter as struct sock_filter, one after the other. Raises ``OSError``."""
    lib = library()
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(default)))
    try:
        _check(lib.seccomp_attr_set(context, ACT_BADARCH, ctypes.c_uint32(KILL_PROCESS)))
        if machine != os.uname().machine:
            _check(lib.seccomp_arch_add(context, ctypes.c_uint32(ARCHITECTURES[machine])))
            _check(lib.seccomp_arch_remove(context, ctypes.c_uint32(0)))
        for rule in rules:
            _add(lib, context, rule)
        return _exported(lib, context)
    finally:
        lib.seccomp_release(context)


def _add(lib: ctypes.CDLL, context: ctypes.c_void_p, rule: Rule) -> None:
    # Below zero for a call that only another architecture has: libseccomp counts these itself.
    number = lib.seccomp_syscall_resolve_name(rule.name.encode())
    answer = ERRNO | rule.errno if rule.errno else ALLOW
    for case in rule.cases:
        made = [_Comparison(one.argument, MASKED_EQUAL, one.mask, one.value & one.mask) for one in case]
        several = (_Comparison * max(1, len(made)))(*made)
        how = ctypes.c_uint32(answer), number, ctypes.c_uint(len(made)), several
        _check(lib.seccomp_rule_add_array(context, *how), rule.name)


def _exported(lib: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    descriptor = os.memfd_create("filter")
    try:
        _check(lib.seccomp_export_bpf(context, descriptor))
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)


def _check(result: int, what: str = "") -> None:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
