"""The database: Peewee schema, migrations, and the only queries."""
