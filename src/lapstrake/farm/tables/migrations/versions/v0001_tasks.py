"""Tasks, attempts, groups, workers, events, remembered requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_groups()
    _make_tasks()
    _index_tasks()
    _make_attempts()
    _make_workers()
    _make_events()
    _make_requests()


def downgrade() -> None:
    """Drop them."""
    for table in ("requests", "events", "workers", "attempts", "tasks", "groups"):
        op.drop_table(table)


def _make_groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("branch", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("finished", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_groups_state"), "groups", ["state"])


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("branch", sa.String(length=64), nullable=False),
        sa.Column("arch", sa.String(length=32), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("group_id", NUMBER, nullable=True),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("finished", sa.Double(), nullable=False),
        sa.Column("deadline", sa.Double(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("cores", sa.Integer(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("same_as", NUMBER, nullable=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_tasks_group_id")),
        sa.ForeignKeyConstraint(["same_as"], ["tasks.id"], name=op.f("fk_tasks_same_as")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sqlite_autoincrement=True,
    )


def _index_tasks() -> None:
    op.create_index("ix_tasks_branch_id", "tasks", ["branch", "id"])
    op.create_index(op.f("ix_tasks_deadline"), "tasks", ["deadline"])
    op.create_index("ix_tasks_finished_id", "tasks", ["finished", "id"])
    op.create_index("ix_tasks_name_finished_id", "tasks", ["name", "finished", "id"])
    op.create_index("ix_tasks_worker_finished_id", "tasks", ["worker", "finished", "id"])
    op.create_index("ix_tasks_branch_finished_id", "tasks", ["branch", "finished", "id"])
    op.create_index("ix_tasks_state_rank_id", "tasks", ["state", "rank", "id", "queue"])
    op.create_index("ix_tasks_group_id_id", "tasks", ["group_id", "id"])
    op.create_index("ix_tasks_key_state", "tasks", ["key", "state"])
    op.create_index("ix_tasks_name_id", "tasks", ["name", "id"])
    op.create_index("ix_tasks_owner_id", "tasks", ["owner", "id"])
    op.create_index(op.f("ix_tasks_same_as"), "tasks", ["same_as"])
    op.create_index("ix_tasks_state_id", "tasks", ["state", "id"])
    op.create_index("ix_tasks_worker_id", "tasks", ["worker", "id"])


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("task", NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("finished", sa.Double(), nullable=False),
        sa.Column("ending", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("cores", sa.Integer(), nullable=False),
        sa.Column("peaks", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.id"], name=op.f("fk_attempts_task")),
        sa.PrimaryKeyConstraint("task", "number", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_finished_task", "attempts", ["finished", "task"])
    op.create_index("ix_attempts_worker_ending", "attempts", ["worker", "ending"])


def _make_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("drain", sa.Boolean(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("registered", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("load", sa.Double(), nullable=False),
        sa.Column("memory_free", sa.BigInteger(), nullable=False),
        sa.Column("disk_free", sa.BigInteger(), nullable=False),
        sa.Column("skew", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task", NUMBER, nullable=True),
        sa.Column("group_id", NUMBER, nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"])
    op.create_index("ix_events_group_id_id", "events", ["group_id", "id"])
    op.create_index("ix_events_task_id", "events", ["task", "id"])


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("made", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_at"), "requests", ["at"])
