"""The published repository, cloned by git at the commit whose files are known."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.release.fetch import Fetched
from w2s_factory.release.published_files import COMMIT, REPOSITORY
from w2s_factory.terminal import shortened

_SAFE = {
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",  # others (ext::) start programs
    "LC_ALL": "C",  # its messages are searched for errors of the disk
    "GIT_TERMINAL_PROMPT": "0",  # a wrong URL is to fail, not to ask for a password
}
"""Environment variables for git."""

_DISK_ERRORS = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)))
_AS_PUBLISHED = ("-c", "core.autocrlf=false")  # line ends as published: every file is compared with a hash


def fetch_release(
    origin: str | None, output_dir: Path, *, force: bool = False, commit: str = COMMIT
) -> Fetched:
    """Clone the published release at its known commit, or a copy without that commit at its newest.

    Args:
        origin: A URL or a local clone; None for the published repository.
        output_dir: The folder to create. If it is a clone at that commit already, nothing is done.
        force: In such a clone, restore files that were changed.
        commit: The commit to check out.

    Raises:
        UserError: The folder has other content.
        DelegateError: Git is missing or can't reach the repository.
    """
    hint = shlex.join(["w2s-factory", "verify-release", str(output_dir)])
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        _check_clone(output_dir, commit)
        if force:
            _git("-C", str(output_dir), "checkout", "--force", "--quiet", commit, "--", ".", into=output_dir)
        return Fetched(output_dir, {}, (f"is a clone at {commit[:12]} already",), hint)
    source = _absolute(origin or REPOSITORY)
    parent = output_dir.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{output_dir.name}.") as temporary:
        clone = Path(temporary, "clone")
        _git(*_AS_PUBLISHED, "clone", "--quiet", "--no-checkout", "--config", _AS_PUBLISHED[1], "--",
             source, str(clone), into=output_dir)  # fmt: skip
        found = commit if _has(clone, commit) else _head(clone)
        _git("-C", str(clone), "checkout", "--quiet", "--detach", found, into=output_dir)
        clone.replace(output_dir)
    notes = [f"cloned {source} at {found[:12]}"]
    if found != commit:
        notes.append(
            f"it has no commit {commit[:12]}, so this is its newest: verify-release reports what is different"
        )
    return Fetched(output_dir, {}, tuple(notes), hint)


def _has(clone: Path, commit: str) -> bool:
    """Return whether a clone has a commit."""
    try:
        _git("-C", str(clone), "cat-file", "-e", f"{commit}^{{commit}}")
    except DelegateError:
        return False
    return True


def _absolute(source: str) -> str:
    """Return the full path of a local folder: git runs elsewhere, and a name may look like an option."""
    return str(Path(source).absolute()) if Path(source).is_dir() else source


def _check_clone(folder: Path, commit: str) -> None:
    """Check that a folder is a clone at a commit.

    Raises:
        UserError: It is not.
    """
    found = _head(folder) if (folder / ".git").exists() else None
    if found != commit:
        raise UserError(
            "exists already and is not a clone of the release at its known commit",
            file=folder,
            hint="Name another folder with --output-dir",
        )


def _head(clone: Path) -> str:
    return _git("-C", str(clone), "rev-parse", "HEAD").strip()


def _git(*arguments: str, into: Path | None = None) -> str:
    """Run git and return what it prints.

    Args:
        arguments: Its command line.
        into: The folder it writes to, named in the error about a disk that can't be written.

    Raises:
        UserError: The disk is full or cannot be written.
        DelegateError: There is no git, or it fails.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], env=os.environ | _SAFE, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise DelegateError("git is not installed", hint="Install it, or download the repository") from None
    disk_error = next((text for text in _DISK_ERRORS if text in done.stderr), None)
    if done.returncode and disk_error and into is not None:
        raise UserError(f"cannot be written ({disk_error})", file=into)
    if done.returncode:
        raise DelegateError(f"git failed: {shortened(done.stderr.strip()) or f'exit code {done.returncode}'}")
    return done.stdout
