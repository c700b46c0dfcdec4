"""What is not about networks: processes, files, the cache, downloads, TOML, ELF, names, errors."""
