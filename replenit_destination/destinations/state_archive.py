"""Packs files into one: tar, zstandard, and AES-GCM where there is a key.

The cipher is `cryptography`'s, a frame of the archive at a time so that nothing has to fit into
memory. A frame authenticates whose archive it is, its place in it and whether it is the last: no
frame can be left out, swapped or taken from another archive.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING, Any

from replenit_destination.exceptions import SettingsError, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Cipher", "pack", "sha256_of", "unpack"]

FRAME_BYTES = 4 * 1024 * 1024
_NONCE_BYTES = 12
_TAG_BYTES = 16


class Cipher:
    """Encrypts with a key of 32 bytes, written in URL-safe base64.

    Raises:
        SettingsError: The key is no such key, or `cryptography` is not installed.
    """

    def __init__(self, key: str) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            message = "state_key: encryption needs a package: pip install 'dlt-replenit[state]'"
            raise SettingsError(message) from error
        try:
            raw = base64.urlsafe_b64decode(key.strip())
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32:
            message = (
                "state_key: this is no key; it is 32 bytes in URL-safe base64. "
                "`dlt replenit state key` makes one."
            )
            raise SettingsError(message)
        self._aead: AESGCM = AESGCM(raw)
        self.name = hashlib.sha256(b"dlt-replenit state key\0" + raw).hexdigest()[:12]

    @staticmethod
    def new_key() -> str:
        """Return a new key."""
        return base64.urlsafe_b64encode(os.urandom(32)).decode()

    def encrypt(self, plain: BinaryIO, out: BinaryIO, about: str) -> None:
        """Write the frames of a file; `about` must be said again to decrypt them."""
        frame, index = plain.read(FRAME_BYTES), 0
        while True:
            following = plain.read(FRAME_BYTES)
            nonce = os.urandom(_NONCE_BYTES)
            out.write(nonce + self._aead.encrypt(nonce, frame, _about(about, index, not following)))
            if not following:
                return
            frame, index = following, index + 1

    def decrypt(self, sealed: BinaryIO, out: BinaryIO, about: str) -> None:
        """Write what was encrypted.

        Raises:
            StateError: It was encrypted with another key, or is not what was encrypted.
        """
        from cryptography.exceptions import InvalidTag

        size = _NONCE_BYTES + FRAME_BYTES + _TAG_BYTES
        frame, index = sealed.read(size), 0
        while frame:
            following = sealed.read(size)
            nonce, body = frame[:_NONCE_BYTES], frame[_NONCE_BYTES:]
            try:
                out.write(self._aead.decrypt(nonce, body, _about(about, index, not following)))
            except (InvalidTag, ValueError) as error:
                message = "the stored state cannot be decrypted with this `state_key`"
                raise StateError(message) from error
            frame, index = following, index + 1


def pack(members: Mapping[str, Path], target: Path, *, cipher: Cipher | None, about: str) -> None:
    """Write files and folders into one file.

    Args:
        members: Name inside → file or folder.
        target: The archive; replaced.
        cipher: Encrypts it.
        about: What the archive is, checked when it is read; not secret.
    """
    import pyarrow as pa

    plain = target.with_name(f"{target.name}.plain") if cipher else target
    try:
        with (
            _private(plain) as raw,
            pa.CompressedOutputStream(pa.PythonFile(raw, mode="w"), "zstd") as packed,
            tarfile.open(fileobj=_Writer(packed), mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, path in sorted(members.items()):
                tar.add(path, arcname=name, filter=_anonymous)
        if cipher:
            with plain.open("rb") as source, _private(target) as out:
                cipher.encrypt(source, out, about)
    finally:
        if cipher:
            plain.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path, *, cipher: Cipher | None, about: str) -> None:
    """Write what `pack` packed into a folder.

    Raises:
        StateError: The archive is damaged, or the key is another.
    """
    import pyarrow as pa

    plain = folder / ".plain" if cipher else archive
    try:
        if cipher:
            with archive.open("rb") as sealed, _private(plain) as out:
                cipher.decrypt(sealed, out, about)
        with (
            plain.open("rb") as raw,
            pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, pa.ArrowException, OSError, EOFError) as error:
        message = f"the stored state is damaged ({type(error).__name__})"
        raise StateError(message) from error
    finally:
        if cipher:
            plain.unlink(missing_ok=True)


def sha256_of(file: Path) -> str:
    """Return a file's checksum."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _about(about: str, index: int, last: bool) -> bytes:
    return f"{about}\0{index}\0{last}".encode()


def _private(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "wb")


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who owns a file here."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o700 if info.isdir() else 0o600
    return info


class _Writer(io.RawIOBase):
    """What tarfile writes to; pyarrow's streams refuse its `bytearray`s."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any) -> int:
        """Pass it on."""
        self._stream.write(bytes(data))
        return len(data)
