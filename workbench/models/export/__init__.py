"""A scorecard in other forms, which leave the workbench: SQL, one Python file."""
