"""The data of the server: database, jobs, keys, uploads, folders."""
