"""The tables of a PostgreSQL schema, and the functions that stand for SQLite's in the queries."""

from __future__ import annotations

from functools import cache

import peewee as pw

from iop4d.store.schema import TABLES

#: Types of columns by peewee's names of them; texts are sorted by their bytes, as SQLite does.
FIELD_TYPES = pw.PostgresqlDatabase.field_types | {
    "AUTO": "BIGSERIAL", "INT": "BIGINT", "FLOAT": "DOUBLE PRECISION", "TEXT": 'TEXT COLLATE "C"'}


class _Nowhere(pw.PostgresqlDatabase):  # type: ignore[misc]
    """No server: writes statements alone."""

    field_types = FIELD_TYPES


@cache
def definitions() -> str:
    """Everything that a new schema holds, as one text."""
    server = _Nowhere("", prefer_psycopg3=True)
    parts = [_FUNCTIONS]
    for table in TABLES:
        manager = pw.SchemaManager(table, server)
        for statement in (manager._create_table(safe=True), *manager._create_indexes(safe=True)):
            text, values = statement.query()
            assert not values, text
            parts.append(text)
    parts.append(_NOTING)
    return ";\n".join(part.strip().rstrip(";") for part in parts)


_FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION json_extract(document text, path text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT document::pg_catalog.json #>> pg_catalog.string_to_array(
        pg_catalog.substr(pg_catalog.regexp_replace(path, '\[(\d+)\]', '.\1', 'g'), 3), '.') $$;
CREATE OR REPLACE FUNCTION json_array_length(document text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE pg_catalog.json_typeof(document::pg_catalog.json) WHEN 'array'
        THEN pg_catalog.json_array_length(document::pg_catalog.json) ELSE 0 END $$;
CREATE OR REPLACE FUNCTION json_each(document text)
    RETURNS TABLE(key text, value text, type text)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (number - 1)::text, one #>> '{}', pg_catalog.json_typeof(one)
    FROM pg_catalog.json_array_elements(CASE pg_catalog.json_typeof(document::pg_catalog.json)
        WHEN 'array' THEN document::pg_catalog.json ELSE '[]' END)
        WITH ORDINALITY AS list(one, number)
    UNION ALL
    SELECT pair.key, pair.value #>> '{}', pg_catalog.json_typeof(pair.value)
    FROM pg_catalog.json_each(CASE pg_catalog.json_typeof(document::pg_catalog.json)
        WHEN 'object' THEN document::pg_catalog.json ELSE '{}' END) AS pair $$;
CREATE OR REPLACE FUNCTION json_each(document text, path text)
    RETURNS TABLE(key text, value text, type text)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT * FROM json_each(json_extract(document, path)) $$;
CREATE OR REPLACE FUNCTION instr(whole text, part text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.strpos(whole, part) $$;
CREATE OR REPLACE FUNCTION matches(expression text, whole text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT whole ~* expression $$;
CREATE OR REPLACE FUNCTION as_it_is(one text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT one $$;
CREATE OR REPLACE FUNCTION as_it_is(one boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT one $$;
-- A plus before a column says that no index of it is to be used.
DO $$ BEGIN
    CREATE OPERATOR + (RIGHTARG = text, FUNCTION = as_it_is);
    CREATE OPERATOR + (RIGHTARG = boolean, FUNCTION = as_it_is);
EXCEPTION WHEN duplicate_function THEN NULL; END $$
"""

#: What the database does by itself, whichever program writes: see ``schema.ResultChange``.
_NOTING = """
CREATE OR REPLACE FUNCTION note_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.source IS DISTINCT FROM NEW.source
                              OR OLD.band IS DISTINCT FROM NEW.band) THEN
        INSERT INTO resultchange (result, source, band, token) VALUES (OLD.id, OLD.source,
            OLD.band, ((random() - 0.5) * 1.8e19)::bigint);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO resultchange (result, source, band, token) VALUES (NEW.id, NEW.source,
            NEW.band, ((random() - 0.5) * 1.8e19)::bigint);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS result_noted ON result;
CREATE TRIGGER result_noted AFTER INSERT OR UPDATE OR DELETE ON result
    FOR EACH ROW EXECUTE FUNCTION note_result()
"""
