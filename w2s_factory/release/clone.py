"""The published repository, cloned at the commit its facts are known of."""

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
    "LC_ALL": "C",  # its messages are looked into
    "GIT_TERMINAL_PROMPT": "0",  # a wrong URL shall fail, not ask for a password
}
_DISK = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)))
_AS_PUBLISHED = ("-c", "core.autocrlf=false")  # line ends as published: every file is held against a hash


def fetch_release(
    origin: str | None, output_dir: Path, *, force: bool = False, commit: str = COMMIT
) -> Fetched:
    """Clone the published release at its known commit; of a copy without that commit, the newest.

    Args:
        origin: A URL or a local clone; None for the published repository.
        output_dir: The folder to make. If it is a clone at that commit already, nothing is done.
        force: In such a clone, put files back that were changed.
        commit: The commit to check out.

    Raises:
        UserError: The folder holds something else.
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
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{output_dir.name}.") as beside:
        clone = Path(beside, "clone")
        _git(*_AS_PUBLISHED, "clone", "--quiet", "--no-checkout", "--config", _AS_PUBLISHED[1], "--",
             source, str(clone), into=output_dir)  # fmt: skip
        found = commit if _has(clone, commit) else _head(clone)
        _git("-C", str(clone), "checkout", "--quiet", "--detach", found, into=output_dir)
        clone.replace(output_dir)
    notes = [f"cloned {source} at {found[:12]}"]
    if found != commit:
        notes.append(
            f"it has no commit {commit[:12]}, so this is its newest: verify-release says what is different"
        )
    return Fetched(output_dir, {}, tuple(notes), hint)


def _has(clone: Path, commit: str) -> bool:
    """Whether a clone holds a commit."""
    try:
        _git("-C", str(clone), "cat-file", "-e", f"{commit}^{{commit}}")
    except DelegateError:
        return False
    return True


def _absolute(source: str) -> str:
    """A local folder by its full path: git runs elsewhere, and a name may look like an option."""
    return str(Path(source).absolute()) if Path(source).is_dir() else source


def _check_clone(folder: Path, commit: str) -> None:
    """Refuse a folder that is no clone at this commit."""
    found = None
    if (folder / ".git").exists():
        found = _head(folder)
    if found != commit:
        raise UserError(
            "is there already and is no clone of the release at its known commit",
            file=folder,
            hint="Name another folder with --output-dir",
        )


def _head(clone: Path) -> str:
    return _git("-C", str(clone), "rev-parse", "HEAD").strip()


def _git(*arguments: str, into: Path | None = None) -> str:
    """Run git; what it prints.

    Args:
        arguments: Its command line.
        into: The folder it writes to, for the message about a disk that takes no more.

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
    full = next((text for text in _DISK if text in done.stderr), None)
    if done.returncode and full and into is not None:
        raise UserError(f"cannot be written ({full})", file=into)
    if done.returncode:
        raise DelegateError(f"git failed: {shortened(done.stderr.strip()) or f'exit code {done.returncode}'}")
    return done.stdout
