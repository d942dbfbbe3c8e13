"""Learning platforms' downloads: by which scheme their files are named, and who is meant by a name."""
