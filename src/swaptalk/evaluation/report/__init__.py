"""The report: columns, statistics, and its forms."""
