"""What a pull request changes, read from git's object store."""
