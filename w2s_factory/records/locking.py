"""One writer at a time in a folder: commands that put files into it wait for each other."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from w2s_factory.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FALLBACK: Final = ".w2s-factory.lock"
"""The lock file in folders of file systems that cannot lock a folder itself."""

_NO_FOLDER_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
"""Errors of file systems that cannot lock a folder; NFS, for one, locks only what is open for writing."""


@contextmanager
def locked(folders: Iterable[Path]) -> Iterator[None]:
    """Hold these folders until the block ends, waiting for whoever holds one of them.

    The lock is on the folder itself and leaves no file behind. On a file system that has no such locks a
    lock file stays in the folder instead. A process that ends, however it ends, lets go of its locks.

    Raises:
        UserError: A folder cannot be opened or locked.
    """
    with ExitStack() as held:
        opened: dict[tuple[int, int], tuple[int, Path]] = {}
        for folder in folders:
            handle = _opened(folder)
            held.callback(os.close, handle)
            status = os.fstat(handle)
            opened.setdefault((status.st_dev, status.st_ino), (handle, folder))
        for _, (handle, folder) in sorted(
            opened.items()
        ):  # one order for all, so that none waits in a circle
            _lock(handle, folder, held)
        yield


def _opened(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"cannot be opened ({error.strerror})", file=folder) from None


def _lock(handle: int, folder: Path, held: ExitStack) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_FOLDER_LOCKS:
            raise UserError(f"cannot be locked ({error.strerror})", file=folder) from None
        from filelock import FileLock  # noqa: PLC0415  costs time that most file systems need not pay

        try:
            held.enter_context(FileLock(folder / FALLBACK))
        except OSError as failed:
            raise UserError(f"cannot be locked ({failed.strerror})", file=folder) from None
