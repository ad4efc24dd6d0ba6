"""A scorecard in other forms, which leave the workbench: SQL, PMML, one Python file."""

DIALECTS = {
    "duckdb": "DuckDBCompiler",
    "postgres": "PostgresCompiler",
    "sqlite": "SQLiteCompiler",
    "mysql": "MySQLCompiler",
    "spark": "DuckDBCompiler",  # that of Spark needs pyspark; sqlglot writes the same tree in its words
    "tsql": "MSSQLCompiler",
    "snowflake": "SnowflakeCompiler",
    "bigquery": "BigQueryCompiler",
    "oracle": "OracleCompiler",
}
"""Dialects of SQL, and who writes them."""
