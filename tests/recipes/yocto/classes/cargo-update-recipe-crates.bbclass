# OpenEmbedded-Core's adds a task that nothing here runs.
