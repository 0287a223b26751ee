"""The official release, whole or the part one needs: `plan_download`, then `download`.

`plan.py` says what is to be fetched, `transfer.py` fetches it; below them are the archive that is
read by byte ranges (`remote_zip.py`, `unpacking.py`), the file it is read from (`remote_file.py`)
and single requests (`http_request.py`).
"""

from rxrx_lib.data.download.http_request import Network, RemoteError
from rxrx_lib.data.download.licence import LICENCE, LicenceNotAcceptedError, consent
from rxrx_lib.data.download.plan import BASE_URL, WHAT, plan_download
from rxrx_lib.data.download.remote_zip import ArchiveError
from rxrx_lib.data.download.selection import Selection, SelectionError
from rxrx_lib.data.download.transfer import DownloadError, DownloadPlan, download

__all__ = [
    "BASE_URL",
    "LICENCE",
    "WHAT",
    "ArchiveError",
    "DownloadError",
    "DownloadPlan",
    "LicenceNotAcceptedError",
    "Network",
    "RemoteError",
    "Selection",
    "SelectionError",
    "consent",
    "download",
    "plan_download",
]
