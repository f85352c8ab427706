# In place of OpenEmbedded-Core's: takes away what belongs to the other init system, after do_install.
python sureplug_other_init() {
    import shutil
    image = d.getVar("D")
    systemd = "systemd" in (d.getVar("DISTRO_FEATURES") or "").split()
    units = image + d.getVar("systemd_system_unitdir")
    if systemd and not (os.path.isdir(units) and os.listdir(units)):
        return
    other = d.getVar("INIT_D_DIR") if systemd else d.getVar("systemd_unitdir")
    shutil.rmtree(image + other, ignore_errors=True)
    try:
        os.removedirs(os.path.dirname(image + other))
    except OSError:
        pass
}
do_install[postfuncs] += "sureplug_other_init"
