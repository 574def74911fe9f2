"""
One order and one equality of texts on all databases: byte by byte, as SQLite has it.

A column of text says so itself, whatever the database was created with. On PostgreSQL that also lets an index serve
`LIKE 'acme/%'`. Long texts and documents have up to 16 MiB everywhere; MySQL's own TEXT and BLOB end at 64 KiB.
"""

from typing import Any, Final

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn, CreateTable

__all__ = ["MARIADB_TABLE", "MYSQL_TABLE"]

MARIADB_TABLE: Final = " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
MYSQL_TABLE: Final = " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin"


@compiles(Text, "postgresql")
def _text(_kind: Text, _compiler: Any, **_options: Any) -> str:
    """Name the type without the length, which MySQL alone wants."""
    return "TEXT"


@compiles(Text, "mysql", "mariadb")
def _medium_text(_kind: Text, _compiler: Any, **_options: Any) -> str:
    return "MEDIUMTEXT"


@compiles(LargeBinary, "mysql", "mariadb")
def _medium_blob(_kind: LargeBinary, _compiler: Any, **_options: Any) -> str:
    return "MEDIUMBLOB"


@compiles(CreateTable, "mysql", "mariadb")
def _create_table(create: CreateTable, compiler: Any, **options: Any) -> str:
    """Give the table the binary collation that does not pad: `a` and `A` are two keys, and so are `a` and `a `."""
    ending = MARIADB_TABLE if getattr(compiler.dialect, "is_mariadb", False) else MYSQL_TABLE
    return str(compiler.visit_create_table(create, **options)).rstrip() + ending


@compiles(CreateColumn, "postgresql")
def _create_column(create: CreateColumn, compiler: Any, **options: Any) -> str:
    """Give a column of text the collation C."""
    text = str(compiler.visit_create_column(create, **options))
    kind = create.element.type
    if not isinstance(kind, String) or kind.collation:
        return text
    shown = compiler.dialect.type_compiler_instance.process(kind, type_expression=create.element)
    name, space, rest = text.partition(f" {shown}")
    return f'{name}{space} COLLATE "C"{rest}'
