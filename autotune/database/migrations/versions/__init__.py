"""One file a step, in the order of `autotune.database.revision.REVISIONS`."""
