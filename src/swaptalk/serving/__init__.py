"""The page, the HTTP API and its durable jobs."""
