"""Loan Risk Workbench: a lender's customer data becomes scores, early warnings, reports and actions."""

from importlib.metadata import version

__version__ = version("loan-risk-workbench")
