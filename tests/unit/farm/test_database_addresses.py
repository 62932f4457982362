"""Addresses of several hosts mean what libpq says that they mean, and SQLAlchemy knows them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from lapstrake.farm.model.addresses import with_hosts_apart

_HOSTS = st.sampled_from(["db1", "db2.example.org", "10.0.0.7", "[fd00::1]"])
_PORTS = st.sampled_from(["", ":5432", ":7000"])
_USERS = st.sampled_from(["", "farm@", "farm:se%40cret@", "farm:a,b@"])
_QUERIES = st.sampled_from(["", "?sslmode=require", "?target_session_attrs=any&sslmode=require"])


@given(_USERS, st.lists(st.tuples(_HOSTS, _PORTS), min_size=2, max_size=3), _QUERIES)
def test_it_means_the_same_in_both_forms(
    user: str, hosts: list[tuple[str, str]], query: str
) -> None:
    listed = ",".join(host + port for host, port in hosts)
    url = f"postgresql://{user}{listed}/farm{query}"
    apart = with_hosts_apart(url)
    said, meant = conninfo_to_dict(apart), conninfo_to_dict(url)
    if meant.get("port") and not str(meant["port"]).strip(","):  # no port at all
        del meant["port"]
    assert said == {"target_session_attrs": "read-write", **meant}
    known = make_url(apart).set(drivername="postgresql+psycopg")
    assert known.get_dialect()().create_connect_args(known)[1]["host"] == meant["host"]
    assert with_hosts_apart(apart) == apart


@given(_USERS, _HOSTS, _PORTS, _QUERIES)
def test_of_one_host_nothing_changes(user: str, host: str, port: str, query: str) -> None:
    url = f"postgresql://{user}{host}{port}/farm{query}"
    assert with_hosts_apart(url) == url
    assert with_hosts_apart("sqlite:////srv/a,b/farm.db") == "sqlite:////srv/a,b/farm.db"
