"""The page for signing in offers single sign-on before the tenant is known.

Revision: 0021.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `system` may find which tenants have single sign-on, and nothing more of it.
    op.execute("create policy system_finds on single_sign_on for select to dragoman_system using (true)")
    op.execute("grant select (tenant_id) on single_sign_on to dragoman_system")


def downgrade() -> None:
    op.execute("revoke select (tenant_id) on single_sign_on from dragoman_system")
    op.execute("drop policy system_finds on single_sign_on")
