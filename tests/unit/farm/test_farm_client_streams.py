"""Server-sent events are the same however the network cuts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.client.streams import ServerEvent, server_events

_TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
_EVENTS = st.lists(
    st.builds(
        ServerEvent,
        kind=st.sampled_from(["lines", "attempt", "message"]),
        id=st.integers(0, 10**6).map(str),
        data=st.lists(_TEXT, min_size=1, max_size=3).map(tuple),
    ),
    max_size=5,
)


@given(events=_EVENTS, end=st.sampled_from(["\n", "\r", "\r\n"]), cuts=st.data())
def test_events_do_not_depend_on_where_the_bytes_are_cut(
    events: list[ServerEvent], end: str, cuts: st.DataObject
) -> None:
    text = f": a comment{end}{end}"
    for event in events:
        text += f"event: {event.kind}{end}id: {event.id}{end}"
        text += "".join(f"data: {line}{end}" for line in event.data) + end
    data = text.encode()
    places = cuts.draw(st.lists(st.integers(0, len(data)), max_size=8).map(sorted))
    pieces = [
        data[begin:stop] for begin, stop in zip([0, *places], [*places, len(data)], strict=True)
    ]
    assert list(server_events(pieces)) == events


def test_what_breaks_off_is_no_event() -> None:
    assert list(server_events([b"id: 5\ndata: whole\n\nid: 9\ndata: ha"])) == [
        ServerEvent(kind="message", id="5", data=("whole",))
    ]


def test_an_event_without_data_is_none_but_its_id_holds() -> None:
    assert list(server_events([b"id: 5\n\ndata\n\n"])) == [
        ServerEvent(kind="message", id="5", data=("",))
    ]
