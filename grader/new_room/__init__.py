"""An empty, failing room: all files of a milestone that is still to be written."""
