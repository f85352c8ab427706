# OpenEmbedded-Core's adds the group to the target's system, from GROUPADD_PARAM.
