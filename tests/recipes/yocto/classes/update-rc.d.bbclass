# In place of OpenEmbedded-Core's: packaging is looked at by the tests themselves.
INIT_D_DIR = "${sysconfdir}/init.d"
