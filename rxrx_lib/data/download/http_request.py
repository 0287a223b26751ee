"""One request to a web server, and how often it is tried."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import requests
import urllib3

LONGEST_PAUSE = 30.0
# A break counts as a new one, not as one more in a row, where so much came in between.
WORTH_A_RETRY = 2**16
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class RemoteError(OSError):
    """A remote file that cannot be read; the message names its address."""


class Stopped(Exception):
    """Another thread failed or was interrupted, so this one gave up."""


class Broken(Exception):
    """One attempt failed in a way that the next may not."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """How hard to try.

    Attributes
    ----------
    connections : int
        Connections at the same time, at least 1.
    timeout : float
        Seconds without a byte until a connection counts as broken, more than 0.
    attempts : int
        Breaks in a row until a file is given up, at least 1.
    first_pause : float
        Seconds to wait after the first break, then twice as long after each; 0 for no wait.
    """

    connections: int = 8
    timeout: float = 30.0
    attempts: int = 6
    first_pause: float = 0.5

    def __post_init__(self) -> None:
        least = {"connections": 1, "timeout": 0.001, "attempts": 1, "first_pause": 0}
        for name, minimum in least.items():
            if not getattr(self, name) >= minimum:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected at least {minimum}.")


class Patience:
    """Counts the breaks in a row of one transfer, and waits longer after each."""

    def __init__(self, url: str, network: Network, stopped: threading.Event) -> None:
        self._url, self._network, self._stopped = url, network, stopped
        self._breaks = self._since = 0

    def got(self, size: int) -> None:
        """Count bytes that came."""
        self._since += size

    def broke(self, reason: str) -> None:
        """Wait before the next attempt, or raise RemoteError if that was the last."""
        if self._since >= WORTH_A_RETRY:
            self._breaks = 0
        self._since = 0
        self._breaks += 1
        if self._breaks >= self._network.attempts:
            raise RemoteError(
                f"{self._url} could not be read in {self._breaks} attempts ({reason}): look after "
                "the network and give the same command again."
            )
        pause = min(self._network.first_pause * 2 ** (self._breaks - 1), LONGEST_PAUSE)
        self._stopped.wait(pause)


def get(
    session: requests.Session, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    """Ask once; return a 200, 206 or 416, its body not read yet.

    Raises
    ------
    Broken
        If another attempt may get an answer.
    RemoteError
        If none will.
    """
    # Compressed on the way, parts would not be parts of the file.
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
    except (ValueError, requests.TooManyRedirects) as error:
        # No address, or one that leads to none; ValueError, as not all are wrapped by requests.
        raise RemoteError(f"{url} cannot be fetched ({error}): use another base URL.") from error
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise Broken(_reason(error)) from error
    if response.status_code in (200, 206, 416):
        return response
    response.close()
    answer = f"{response.status_code} {response.reason}"
    if response.status_code in RETRIED:
        raise Broken(f"the server answered {answer}")
    raise RemoteError(f"{url} answered {answer}; expected a zip archive there: check the base URL.")


def read(response: requests.Response, most: int) -> bytes:
    """Return the next bytes of a body, at most `most`; none at its end, or raise Broken."""
    try:
        data: bytes = response.raw.read(most, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Broken(_reason(error)) from error
    return data


def _reason(error: BaseException) -> str:
    """Return the innermost cause, since requests wraps the one line that says something."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
