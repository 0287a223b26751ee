"""Files as accidents leave them: a few bytes replaced, put in or taken out anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

SIGNS = [b",", b'"', b"\n", b"\r", b"0", b"1", b"e", b".", b"\x00"]
Edit = tuple[float, str, bytes]
edits = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["replace", "insert", "delete"]),
        st.binary(min_size=1, max_size=3) | st.sampled_from(SIGNS),
    ),
    min_size=1,
    max_size=3,
)


def spoiled(data: bytes, changes: list[Edit]) -> bytes:
    """Make each change at its place, a share of the file's length."""
    for where, how, some in changes:
        place = int(where * len(data))
        skipped = {"replace": len(some), "insert": 0, "delete": 7 * len(some)}[how]
        data = data[:place] + (b"" if how == "delete" else some) + data[place + skipped :]
    return data
