"""What the installation and its parts do now: processes, database, searches."""
