"""The worker processes of the server: supervision, claims, attempts and tasks."""
