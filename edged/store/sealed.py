"""The key as a credential that systemd seals to this machine: made and read by root, lent to the service.

``/etc/edged/credentials`` holds ``key`` and, during a rotation, ``next``, each encrypted by
``systemd-creds``: with the machine's host key (``/var/lib/systemd/credential.secret``), and with its TPM 2
too where it has one. The unit names the folder (``LoadCredentialEncrypted=``), so systemd loads *every*
file in it: whatever is only on its way there lies beside it, never in it.

The TPM's part is bound to no PCR. PCRs change with a firmware, boot loader or dbx update, and a sealed key
that no longer opens is a town's lost year; what they would add is that another operating system on the same
board with the same card could not ask the TPM, and who has both in hand can boot ours as well
(docs/adr/0014).

The key goes to ``systemd-creds`` and comes from it through pipes. No argument, file or environment ever has
it.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Final

from edged.errors import KeyRefusedError
from edged.store import files, keys, secret
from edged.store.keys import KEY, NEXT, PREFIX, Keyring, there
from edged.store.secret import Key

FOLDER: Final = keys.SEALED
TPM: Final = Path("/sys/class/tpmrm")
#: Ways to seal with the TPM, the best first. systemd 252 seals without a PCR and then cannot unseal that
#: ("TPM2 PCR bank invalid"); PCR 16 is for debugging, nothing measures into it, and it is zero at every boot.
WITH_TPM: Final = (
    ("--with-key=host+tpm2", "--tpm2-pcrs="),
    ("--with-key=host+tpm2", "--tpm2-pcrs=16"),
)
SEARCHED: Final = "/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT: Final = {"PATH": SEARCHED, "LC_ALL": "C"}  # of systemd-creds, and nothing else
PATIENCE: Final = 60.0  # seconds; a TPM on a slow bus takes two
MODE: Final = 0o600
LARGEST: Final = 16 * 1024  # bytes of a sealed key, and within a pipe's; a real one has under 2 KiB

#: The first 16 bytes of a sealed credential say by what it was sealed (systemd's creds-util.h).
_SEALS: Final = {
    "5a1c6a86df9d4096b1d5a65e0862f19a": "host key",
    "0c7cc07b117645919c4b0bea08bc20fe": "TPM 2",
    "93a894094874449090caf2fc93cab553": "TPM 2 and host key",
    "058469daf6f54324800549da0f8ea2fb": "nothing: whoever has the file has the key",
}


def possible() -> bool:
    """Whether this machine can seal: systemd's program is there, and this is root."""
    return os.geteuid() == 0 and _program() is not None


def exists(name: str = KEY) -> bool:
    """Whether there is a sealed key (or next one)."""
    return there(FOLDER / name)


def ring() -> Keyring:
    """Both keys, unsealed. Raises ``KeyRefusedError``, with systemd's own reason when this machine cannot."""
    key = unseal(KEY)
    return Keyring(f"the sealed credential {FOLDER / KEY}", key, unseal(NEXT) if exists(NEXT) else None)


def make(name: str, key: Key) -> str:
    """Seal ``key`` as ``name``; on the disk when this returns. What it was sealed by, with a word why it is
    no TPM.

    Raises ``KeyRefusedError`` when anything of that name is there already.
    """
    _make_folder()
    if exists(name):
        raise _already(FOLDER / name)
    content, seal = _sealed(name, key)
    try:
        files.make(FOLDER / name, content, MODE)
    except FileExistsError:
        raise _already(FOLDER / name) from None
    except OSError as error:
        raise KeyRefusedError(f"{FOLDER / name} cannot be made: {error.strerror}", "check its disk") from None
    return seal


def promote() -> None:
    """The next key becomes the key: the old one is gone when this returns.

    The name is within the seal, so the next one is sealed again as ``key``. Between its taking the key's
    place and ``next`` being removed both are the same key.
    """
    with ring() as both:
        if both.rotating:
            content, _ = _sealed(KEY, both[NEXT])
            # By way of the folder above: systemd loads whatever it finds in this one.
            files.replace(FOLDER / KEY, content, MODE, FOLDER.parent / ".sealed")
            files.sync_folder(FOLDER.parent)
    (FOLDER / NEXT).unlink(missing_ok=True)
    files.sync_folder(FOLDER)


def sealed_by(name: str = KEY) -> str:
    """What it takes to unseal it, in words; "" when that cannot be told."""
    try:
        content = (FOLDER / name).read_bytes()[:LARGEST]
        return _SEALS.get(b64decode(content[:24])[:16].hex(), "")
    except (OSError, ValueError):
        return ""


# --- systemd-creds


def unseal(name: str) -> bytearray:
    """The key of that name. Raises ``KeyRefusedError``."""
    path = FOLDER / name
    _check(path)
    text, why = _decrypted(name, path.read_bytes()[:LARGEST])
    if why:
        raise KeyRefusedError(
            f"{path} cannot be unsealed on this machine: {why}",
            "it was sealed on another, or its TPM was changed or cleared: bring an escrow copy back "
            "(edged keys restore)",
        )
    return keys.parsed(text, str(path))


def _sealed(name: str, key: Key) -> tuple[bytes, str]:
    """The sealed key, and by what. Never one that was not seen to open again."""
    ways = WITH_TPM if _has_tpm() else ()
    refused = ""
    for how in ways:
        content, refused = _proven(name, key, *how)
        if content:
            return content, "TPM 2 and host key"
    content, why = _proven(name, key, "--with-key=host")
    if not content:
        raise KeyRefusedError(f"the key cannot be sealed: {why}", "systemd-creds setup makes the host key")
    return (
        content,
        f"host key ({f'not the TPM as well: {refused}' if refused else 'this machine has no TPM 2'})",
    )


def _proven(name: str, key: Key, *how: str) -> tuple[bytes, str]:
    """(the sealed key, ""), or (b"", why not). What does not open again now never will."""
    content, why = _encrypted(name, key, *how)
    if not content:
        return b"", why
    text, why = _decrypted(name, content)
    found = secret.parsed(text)
    secret.wipe(text)
    same = found is not None and found == key
    secret.wipe(found)
    return (content, "") if same else (b"", why or "what was sealed did not open again")


def _encrypted(name: str, key: Key, *how: str) -> tuple[bytes, str]:
    """(the sealed key, ""), or (b"", why not)."""
    text = secret.digits(key)
    command = [_required(), "encrypt", *how, f"--name={PREFIX}{name}", "-", "-"]
    with _started(command) as process:
        _give(process, text)
        secret.wipe(text)
        assert process.stdout is not None
        content = bytes(secret.read(process.stdout.fileno(), LARGEST))
        why = _ended(process)
    return (b"", why) if why else (content, "")


def _decrypted(name: str, content: bytes) -> tuple[bytearray, str]:
    """(what was sealed, ""), or (nothing, why not)."""
    with _started([_required(), "decrypt", f"--name={PREFIX}{name}", "-", "-"]) as process:
        _give(process, content)
        assert process.stdout is not None
        text = secret.read(process.stdout.fileno())
        why = _ended(process)
    if why:
        secret.wipe(text)
        text.clear()
    return text, why


def _give(process: subprocess.Popen[bytes], content: bytes | bytearray) -> None:
    """On its standard input; so little never blocks a pipe."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        os.write(process.stdin.fileno(), content)
    process.stdin.close()


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        bufsize=0,
    )


def _ended(process: subprocess.Popen[bytes]) -> str:
    """ "" when all went well, else the last thing it said. It says nothing of a key."""
    assert process.stderr is not None
    said = secret.read(process.stderr.fileno(), LARGEST)
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"systemd-creds did not end within {PATIENCE:.0f} s"
    if code == 0:
        return ""
    lines = said.decode(errors="replace").split("\n")
    return next(
        (line.strip() for line in reversed(lines) if line.strip()), f"systemd-creds ended with {code}"
    )


def _program() -> str | None:
    return shutil.which("systemd-creds", path=SEARCHED)


def _required() -> str:
    program = _program()
    if program is None:
        raise KeyRefusedError(
            "systemd-creds is not there: systemd 250 or later has it",
            "edged keys init FILE makes a key file instead",
        )
    return program


def _has_tpm() -> bool:
    """Whether the kernel has a TPM 2. What `systemd-creds has-tpm2` wants beside it, firmware that knows of
    the TPM, no Raspberry Pi has, and sealing does not need it.
    """
    try:
        return any(TPM.iterdir())
    except OSError:
        return False


# --- files


def _make_folder() -> None:
    try:
        FOLDER.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        pass
    except OSError as error:
        raise KeyRefusedError(f"{FOLDER} cannot be made: {error.strerror}", "run this as root") from None
    else:
        files.sync_folder(FOLDER.parent)
    found = FOLDER.stat()
    if found.st_uid != 0 or found.st_mode & 0o077:
        raise KeyRefusedError(
            f"{FOLDER} is not root's alone", f"chown root:root {FOLDER} && chmod 0700 {FOLDER}"
        )


def _check(path: Path) -> None:
    try:
        found = path.lstat()
    except OSError as error:
        raise KeyRefusedError(f"{path} cannot be read: {error.strerror}", "run this as root") from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid != 0:
        raise KeyRefusedError(f"{path} is no file of root's", keys.HINT_INIT)


def _already(path: Path) -> KeyRefusedError:
    return KeyRefusedError(
        f"{path} is there already and is not overwritten",
        "a store needs the key that it was made with; move that file out of its folder only if you are sure",
    )
