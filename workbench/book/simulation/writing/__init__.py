"""The tables of the simulated book, as a CRM would hold them."""
