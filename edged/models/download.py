"""Bytes from the network: HTTPS only, resumed, bounded, and every failure a sentence."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import urlsplit

from edged import __version__
from edged.errors import EdgedError, RefusedError, UnavailableError
from edged.models.catalogue import AGAIN, ATTEMPTS, CHUNK, TIMEOUT, Entry, Progress

ELSEWHERE = "get the file on another computer and use --from FOLDER"


def download(wanted: Entry, part: IO[bytes], progress: Progress) -> None:
    """Append to ``part`` what it lacks of the model. Raises ``RefusedError``, ``UnavailableError``."""
    _permitted(wanted.url)
    problem = ""
    for attempt in range(ATTEMPTS):
        before = _size(part)
        try:
            _fetch(wanted, part, progress)
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            problem = f": {_words(error)}"
        if _size(part) >= wanted.size:
            return
        if attempt and _size(part) == before:
            break  # a second attempt that brings nothing: not now
    what = f"{wanted.file} from {urlsplit(wanted.url).hostname}"
    said = f"the transfer of {what} broke off at {_size(part)} of {wanted.size} bytes{problem}"
    raise UnavailableError(said, AGAIN)


def _size(part: IO[bytes]) -> int:
    part.flush()
    return os.fstat(part.fileno()).st_size


def _fetch(wanted: Entry, part: IO[bytes], progress: Progress) -> None:
    """One request for what is lacking."""
    here = _size(part)
    if here > wanted.size:
        part.truncate(0)
        here = 0
    if here == wanted.size:
        return
    headers = {"User-Agent": f"edged/{__version__}", "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    try:
        with _opener().open(urllib.request.Request(wanted.url, headers=headers), timeout=TIMEOUT) as answer:
            if here and not _continues(answer, here):
                part.truncate(0)
                here = 0
            _take(answer, part, here, wanted, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            part.truncate(0)  # what is here is no beginning of that file
            return
        raise _http(wanted, error) from None
    except urllib.error.URLError as error:
        raise _network(wanted, error.reason) from None


def _continues(answer: Any, here: int) -> bool:
    """Whether the answer begins where the file ends."""
    span: str = answer.headers.get("Content-Range", "")
    return bool(answer.status == http.client.PARTIAL_CONTENT) and span.startswith(f"bytes {here}-")


def _take(answer: Any, part: IO[bytes], here: int, wanted: Entry, progress: Progress) -> None:
    while chunk := answer.read(min(CHUNK, wanted.size + 1 - here)):
        part.write(chunk)
        here += len(chunk)
        progress(min(here, wanted.size), wanted.size)


def _http(wanted: Entry, error: urllib.error.HTTPError) -> EdgedError:
    said = f"{urlsplit(wanted.url).hostname} answered {error.code} {error.reason}"
    if error.code in (404, 410):
        return RefusedError(f"{said}: {wanted.file} is not there any more", ELSEWHERE)
    return UnavailableError(f"{said} for {wanted.file}", f"try again later, or {ELSEWHERE}")


def _network(wanted: Entry, reason: object) -> EdgedError:
    if isinstance(reason, EdgedError):
        return reason
    host = urlsplit(wanted.url).hostname
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UnavailableError(
            f"{host}: its certificate is not trusted: {reason.verify_message}",
            "is this computer's clock right?",
        )
    if isinstance(reason, TimeoutError):
        return UnavailableError(f"{host} did not answer within {TIMEOUT:.0f} s", AGAIN)
    return UnavailableError(
        f"{host} cannot be reached: {_words(reason)}", f"is there a network? Or {ELSEWHERE}"
    )


def _words(reason: object) -> str:
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def _permitted(url: str) -> None:
    """HTTPS, or plain HTTP to this very machine. Raises ``RefusedError``."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    ):
        return
    raise RefusedError(
        f"{parts.scheme}://{parts.hostname} is not encrypted", "models are fetched by https only"
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to permitted places only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _permitted(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects)
