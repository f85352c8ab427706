SUMMARY = "USB hotplug events that an embedded Linux board cannot lose"
SUMMARY:${PN}-mdev = "${SUMMARY}: busybox's mdev as its hook"
SUMMARY:${PN}-modprobe = "${SUMMARY}: a hook that loads drivers"
SUMMARY:${PN}-sysctl = "${SUMMARY}: a receive buffer without CAP_NET_ADMIN"
DESCRIPTION = "A daemon that receives the kernel's uevents with a receive buffer sized for the board's USB ports, \
notices every loss, repairs it from sysfs, and serves any number of applications."
SECTION = "base"

LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://LICENSE-APACHE;md5=1836efb2eb779966696f473ee8540542 \
    file://LICENSE-MIT;md5=3f74120cfb4c1ab679c5c98126e5032b \
"
CVE_PRODUCT = "sureplug"

# There is no server for releases yet: `tests/recipes/release DL_DIR` makes the archive, or you name a server of your own.
SUREPLUG_SITE ?= "https://sureplug.invalid"
SRC_URI = "${SUREPLUG_SITE}/${BP}.tar.gz"
SRC_URI[sha256sum] = "03ca0eb1c924e5e4fc9dbc93679cce757210f62bda0991b63aa1d8c5ba2568a3"

require ${BPN}-crates.inc

inherit cargo cargo-update-recipe-crates systemd update-rc.d useradd

# The board, as its image states it; the README of the layer has a sentence for each. What is empty is not stated.
SUREPLUG_USB_PORTS ?= ""
SUREPLUG_PORT_DEVICE ?= "storage"
SUREPLUG_MAX_STALL_MS ?= "1000"
SUREPLUG_DEVPATH_MAX ?= "96"
SUREPLUG_SUBSYSTEMS ?= ""
# Flags of the daemon.
SUREPLUG_ARGS ?= ""

PACKAGECONFIG ??= ""
PACKAGECONFIG[gpio] = "--features gpio"

export SUREPLUG_USB_PORTS
export SUREPLUG_PORT_DEVICE
export SUREPLUG_MAX_STALL_MS
export SUREPLUG_DEVPATH_MAX
export SUREPLUG_SUBSYSTEMS
export SUREPLUG_ARGS

# Packaging strips it, and keeps what it takes off in sureplug-dbg.
export CARGO_PROFILE_RELEASE_STRIP = "none"

do_compile:prepend() {
    sh ${S}/board/dist/check-args "$SUREPLUG_ARGS"
    # To the build, an empty variable would be a bad value.
    [ -n "$SUREPLUG_USB_PORTS" ] || unset SUREPLUG_USB_PORTS
    [ -n "$SUREPLUG_PORT_DEVICE" ] || unset SUREPLUG_PORT_DEVICE
    [ -n "$SUREPLUG_MAX_STALL_MS" ] || unset SUREPLUG_MAX_STALL_MS
    [ -n "$SUREPLUG_DEVPATH_MAX" ] || unset SUREPLUG_DEVPATH_MAX
    [ -n "$SUREPLUG_SUBSYSTEMS" ] || unset SUREPLUG_SUBSYSTEMS
}

do_install:append() {
    dist=${S}/board/dist

    install -d ${D}${sysconfdir}/default
    sed '/^SUREPLUG_ARGS=/d' $dist/sureplug.default > ${D}${sysconfdir}/default/sureplug
    echo 'SUREPLUG_ARGS="${SUREPLUG_ARGS}"' >> ${D}${sysconfdir}/default/sureplug
    chmod 0644 ${D}${sysconfdir}/default/sureplug

    # The class `systemd` takes away what belongs to the other init system.
    install -D -m 0644 $dist/sureplug.service ${D}${systemd_system_unitdir}/sureplug.service
    install -D -m 0755 $dist/S30sureplug ${D}${INIT_D_DIR}/sureplug
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 $dist/sureplug.tmpfiles ${D}${nonarch_libdir}/tmpfiles.d/sureplug.conf
    else
        install -D -m 0644 $dist/sureplug.volatiles ${D}${sysconfdir}/default/volatiles/50_sureplug
    fi

    install -D -m 0644 $dist/sureplug.sysctl ${D}${nonarch_libdir}/sysctl.d/50-sureplug.conf

    for hook in modprobe mdev; do
        install -D -m 0755 ${S}/board/hooks/$hook ${D}${nonarch_libdir}/sureplug/$hook
        install -m 0644 $dist/hook-$hook.default ${D}${sysconfdir}/default/sureplug-$hook
        install -D -m 0644 $dist/hook-$hook.conf ${D}${systemd_system_unitdir}/sureplug.service.d/$hook.conf
    done

    install -D -m 0644 ${S}/board/README.md ${D}${docdir}/sureplug/README.md
    install -m 0644 ${S}/board/PROTOCOL.md ${D}${docdir}/sureplug/PROTOCOL.md
    install -m 0644 ${S}/CHANGELOG.md ${D}${docdir}/sureplug/CHANGELOG.md
}

SYSTEMD_SERVICE:${PN} = "sureplug.service"
INITSCRIPT_NAME = "sureplug"
# After the volatile directories, which are made at 37, and before the applications of the runlevels.
INITSCRIPT_PARAMS = "start 40 S . stop 60 0 1 6 ."

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system sureplug"

PACKAGE_BEFORE_PN = "${PN}-mdev ${PN}-modprobe ${PN}-sysctl"

FILES:${PN} += "${nonarch_libdir}/tmpfiles.d"
FILES:${PN}-mdev += "\
    ${nonarch_libdir}/sureplug/mdev \
    ${sysconfdir}/default/sureplug-mdev \
    ${systemd_system_unitdir}/sureplug.service.d/mdev.conf \
"
FILES:${PN}-modprobe += "\
    ${nonarch_libdir}/sureplug/modprobe \
    ${sysconfdir}/default/sureplug-modprobe \
    ${systemd_system_unitdir}/sureplug.service.d/modprobe.conf \
"
FILES:${PN}-sysctl += "${nonarch_libdir}/sysctl.d/50-sureplug.conf"

CONFFILES:${PN} = "${sysconfdir}/default/sureplug"
CONFFILES:${PN}-mdev = "${sysconfdir}/default/sureplug-mdev"
CONFFILES:${PN}-modprobe = "${sysconfdir}/default/sureplug-modprobe"

RDEPENDS:${PN}-mdev = "${PN} busybox"
RDEPENDS:${PN}-modprobe = "${PN}"
RRECOMMENDS:${PN}-mdev = "kmod"
RRECOMMENDS:${PN}-modprobe = "kmod"
# The daemon has one hook, and that of mdev loads drivers as well.
RCONFLICTS:${PN}-mdev = "${PN}-modprobe"
