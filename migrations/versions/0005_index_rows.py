"""Rows of the indexes without foreign keys: PostgreSQL checks those row by row, which cost more than writing the rows.

A document leaves a hundred rows there. What a document is written in locks it (`lock_present`), so none of its rows
can come after its chatbot is gone; a trigger removes those that are there.

Revision: 0005.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OF_CHATBOT = ("keyword_postings", "chunk_embeddings", "sentence_embeddings")

# As whoever deletes the chatbot, so that row-level security holds. Fires after the foreign keys' own triggers (by their
# names), which wait for those who write a document of the chatbot.
_FORGET_CHATBOT = """
create function forget_chatbot() returns trigger language plpgsql as $$
begin
    delete from keyword_postings where tenant_id = old.tenant_id and chatbot_id = old.id;
    delete from chunk_embeddings where tenant_id = old.tenant_id and chatbot_id = old.id;
    delete from sentence_embeddings where tenant_id = old.tenant_id and chatbot_id = old.id;
    delete from document_bands where tenant_id = old.tenant_id and chatbot_id = old.id;
    return null;
end $$
"""


def upgrade() -> None:
    for table in _OF_CHATBOT:
        op.drop_constraint(f"fk_{table}_tenant_id_chatbot_id", table, type_="foreignkey")
    op.drop_constraint("fk_document_bands_tenant_id_version_id", "document_bands", type_="foreignkey")
    op.execute(_FORGET_CHATBOT)
    op.execute("create trigger forget_chatbot after delete on chatbots for each row execute function forget_chatbot()")


def downgrade() -> None:
    op.execute("drop trigger forget_chatbot on chatbots")
    op.execute("drop function forget_chatbot")
    op.create_foreign_key(
        "fk_document_bands_tenant_id_version_id",
        "document_bands",
        "document_versions",
        ["tenant_id", "version_id"],
        ["tenant_id", "id"],
        ondelete="CASCADE",
    )
    for table in _OF_CHATBOT:
        op.create_foreign_key(
            f"fk_{table}_tenant_id_chatbot_id",
            table,
            "chatbots",
            ["tenant_id", "chatbot_id"],
            ["tenant_id", "id"],
            ondelete="CASCADE",
        )
