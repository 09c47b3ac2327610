"""Sign-in of users: passwords, sign-ins with their tokens, one-time links, single sign-on.

Addresses of users become lower-case, as they are compared from now on.

Revision: 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("sign_ins", "user_passwords", "refresh_tokens", "one_time_links", "single_sign_on", "user_identities")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


def _moment(name: str, *, required: bool = True) -> sa.Column:
    default = sa.text("now()") if required else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not required)


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=f"fk_{table}_tenant_id", ondelete="CASCADE")


def _of(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{target}.tenant_id", f"{target}.id"],
        name=f"fk_{table}_tenant_id_{column}",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    _extend_users()
    _create_signing_keys()
    _create_sign_ins()
    _create_passwords()
    _create_refresh_tokens()
    _create_one_time_links()
    _create_single_sign_on()
    for table in _TABLES:
        _isolate(table)


def _extend_users() -> None:
    op.add_column("users", _moment("deactivated_at", required=False))
    op.add_column("users", _moment("last_sign_in_at", required=False))
    op.create_index("ix_users_email", "users", ["email"])
    # Forced row-level security binds the owner of the table too: without a tenant it would change no row.
    op.execute("alter table users no force row level security")
    op.execute(
        "update users set email = lower(trim(email)) where email <> lower(trim(email)) and not exists "
        "(select from users other where other.tenant_id = users.tenant_id and other.id <> users.id "
        "and lower(trim(other.email)) = lower(trim(users.email)))"
    )
    op.execute("alter table users force row level security")
    # Who signs in states an address, and no tenant: `system` may find whose it is, and nothing more of a user.
    op.execute("create policy system_finds on users for select to dragoman_system using (true)")
    op.execute("grant select (tenant_id, id, email) on users to dragoman_system")


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("public_key", postgresql.JSONB(), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=False),
        _moment("created_at"),
        _moment("retired_at", required=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
    )
    op.execute("alter table signing_keys enable row level security")
    op.execute("alter table signing_keys force row level security")
    op.execute("create policy system_signs on signing_keys to dragoman_system using (true) with check (true)")
    op.execute("grant select, insert, update, delete on signing_keys to dragoman_system")


def _create_sign_ins() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("api_key_id", sa.Uuid()),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("is_cookie", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("user_agent", sa.Text(), server_default=sa.text("''"), nullable=False),
        _moment("created_at"),
        _moment("last_used_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("revoked_at", required=False),
        sa.Column("revoked_for", sa.Text()),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_sign_ins"),
        _of_tenant("sign_ins"),
        _of("sign_ins", "user_id", "users"),
        _of("sign_ins", "api_key_id", "api_keys"),
    )
    op.create_index("ix_sign_ins_user_id", "sign_ins", ["tenant_id", "user_id", "id"])
    op.create_index("ix_sign_ins_api_key_id", "sign_ins", ["tenant_id", "api_key_id"])


def _create_passwords() -> None:
    op.create_table(
        "user_passwords",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        _moment("changed_at"),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name="pk_user_passwords"),
        _of("user_passwords", "user_id", "users"),
    )


def _create_refresh_tokens() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        _moment("created_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("used_at", required=False),
        sa.Column("sealed_successor", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("tenant_id", "token_hash", name="pk_refresh_tokens"),
        _of("refresh_tokens", "sign_in_id", "sign_ins"),
    )


def _create_one_time_links() -> None:
    op.create_table(
        "one_time_links",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text()),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _moment("created_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("used_at", required=False),
        _moment("revoked_at", required=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_one_time_links"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="uq_one_time_links_tenant_id_token_hash"),
        _of_tenant("one_time_links"),
        _of("one_time_links", "user_id", "users"),
    )


def _create_single_sign_on() -> None:
    op.create_table(
        "single_sign_on",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_client_secret", sa.Text()),
        sa.Column("settings", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_single_sign_on"),
        _of_tenant("single_sign_on"),
    )
    op.create_table(
        "user_identities",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("tenant_id", "issuer", "subject", name="pk_user_identities"),
        _of("user_identities", "user_id", "users"),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_table("signing_keys")
    op.execute("revoke select (tenant_id, id, email) on users from dragoman_system")
    op.execute("drop policy system_finds on users")
    op.drop_index("ix_users_email", "users")
    op.drop_column("users", "last_sign_in_at")
    op.drop_column("users", "deactivated_at")
