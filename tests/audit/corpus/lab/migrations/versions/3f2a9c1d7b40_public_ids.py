"""Public IDs

Revision ID: 3f2a9c1d7b40
Revises: 0c9e5a77d1b2
Create Date: 2024-03-05 10:11:12.131415

"""
import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "3f2a9c1d7b40"  #! none: the name of a migration
down_revision = "0c9e5a77d1b2"  #! none: the name of a migration


def upgrade():
    op.add_column(
        "runs",
        sa.Column("public_id", postgresql.UUID(), server_default=sa.text("gen_random_uuid()")),  #! direct-uuid
    )
    op.execute("UPDATE models SET external_id = uuid_generate_v4()")  #! direct-uuid
    op.add_column("tags", sa.Column("id", sa.String(32), default=lambda: uuid.uuid4().hex))  #! direct-uuid
    connection = op.get_bind()
    for (row,) in connection.execute(sa.text("SELECT pk FROM teams")):
        team_id = f"team_{uuid.uuid4().hex[:10]}"  #! direct-uuid truncated hand-made
        connection.execute(sa.text("UPDATE teams SET id = :t WHERE pk = :p"), {"t": team_id, "p": row})
    op.create_index("ix_runs_public_id", "runs", ["public_id"])  #! none: the name of an index


def downgrade():
    op.drop_column("runs", "public_id")
