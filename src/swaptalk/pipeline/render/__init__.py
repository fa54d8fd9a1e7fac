"""The second pass: frames generated, marked and written."""
