"""Decrypts single pages as SQLCipher 4 does, so that what lies around a damaged page can be read.

SQLCipher itself refuses a whole connection once one page did not verify. AES comes from the libcrypto that
Python's own hashlib is linked to, by ctypes: in a command only, never in the daemon.
"""

from __future__ import annotations

import _hashlib
import ctypes
import hashlib
import hmac
from ctypes import byref, c_char_p, c_int, c_void_p
from typing import Any, Final

from edged.errors import StoreError
from edged.store.secret import Key

SALT: Final = 16
IV: Final = 16
DIGEST: Final = 64
RESERVED: Final = IV + DIGEST
HEADER: Final = b"SQLite format 3\0"


class Cipher:
    """The pages of one file under one key. ``salt`` is the file's."""

    def __init__(self, key: Key, salt: bytes) -> None:
        self._mac_key = hashlib.pbkdf2_hmac("sha512", key, bytes(one ^ 0x3A for one in salt), 2, 32)
        self._crypto = _libcrypto()
        self._context = c_void_p(self._crypto.EVP_CIPHER_CTX_new())
        own = (ctypes.c_char * len(key)).from_buffer(bytearray(key))
        self._own = own
        kind = c_void_p(self._crypto.EVP_aes_256_cbc())
        if self._crypto.EVP_DecryptInit_ex(self._context, kind, None, own, None) != 1:
            raise StoreError("libcrypto has no AES-256 in CBC mode", "report this as a bug")
        self._crypto.EVP_CIPHER_CTX_set_padding(self._context, 0)

    def close(self) -> None:
        """Overwrite what it knows."""
        ctypes.memset(self._own, 0, len(self._own))
        if self._context:
            self._crypto.EVP_CIPHER_CTX_free(self._context)
            self._context = c_void_p()

    def verifies(self, page: bytes, number: int) -> bool:
        """Whether the page is as it was written, at that place."""
        start = SALT if number == 1 else 0
        signed = page[start:-DIGEST] + number.to_bytes(4, "little")
        return hmac.compare_digest(hmac.digest(self._mac_key, signed, "sha512"), page[-DIGEST:])

    def decrypted(self, page: bytes, number: int) -> bytes:
        """The content of a page that verifies; without what is reserved at its end."""
        start = SALT if number == 1 else 0
        secret, iv = page[start:-RESERVED], page[-RESERVED:-DIGEST]
        clear, length = ctypes.create_string_buffer(len(secret) + 16), c_int()
        self._crypto.EVP_DecryptInit_ex(self._context, None, None, None, iv)
        self._crypto.EVP_CIPHER_CTX_set_padding(self._context, 0)
        self._crypto.EVP_DecryptUpdate(self._context, clear, byref(length), secret, len(secret))
        return (HEADER if number == 1 else b"") + clear.raw[: length.value]


def _libcrypto() -> Any:
    try:
        found = ctypes.CDLL(_hashlib.__file__)
    except (AttributeError, OSError):
        found = ctypes.CDLL(None)
    if not hasattr(found, "EVP_aes_256_cbc"):
        raise StoreError("no libcrypto is found here", "sudo apt install libssl3, or run it on another box")
    found.EVP_CIPHER_CTX_new.restype = c_void_p
    found.EVP_aes_256_cbc.restype = c_void_p
    found.EVP_CIPHER_CTX_free.argtypes = (c_void_p,)
    found.EVP_CIPHER_CTX_set_padding.argtypes = (c_void_p, c_int)
    found.EVP_DecryptInit_ex.argtypes = (c_void_p, c_void_p, c_void_p, c_void_p, c_char_p)
    found.EVP_DecryptUpdate.argtypes = (c_void_p, c_void_p, c_void_p, c_char_p, c_int)
    return found
