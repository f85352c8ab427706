################################################################################
#
# sureplug
#
################################################################################

SUREPLUG_VERSION = 0.1.0
SUREPLUG_SITE = $(call qstrip,$(BR2_PACKAGE_SUREPLUG_SITE))
# With its crates: so the checksum depends on no version of cargo.
SUREPLUG_SOURCE = sureplug-$(SUREPLUG_VERSION)-vendored.tar.gz
SUREPLUG_LICENSE = MIT or Apache-2.0
SUREPLUG_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
# The program's crate; the lock file is the workspace's, above it.
SUREPLUG_SUBDIR = board

# The release profile that the sizes were measured with; Buildroot's own
# has no LTO and 16 codegen units.
SUREPLUG_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_OPT_LEVEL="s" \
	CARGO_PROFILE_RELEASE_LTO="fat" \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1"

# What is stripped here is lost to gdb on the host.
ifeq ($(BR2_ENABLE_DEBUG),y)
SUREPLUG_CARGO_ENV += CARGO_PROFILE_RELEASE_STRIP="none"
endif

ifeq ($(BR2_PACKAGE_SUREPLUG_PORT_DEVICE_CUSTOM),y)
SUREPLUG_PORT_DEVICE = custom:$(call qstrip,$(BR2_PACKAGE_SUREPLUG_PORT_DEVICE_FIGURES))
else
SUREPLUG_PORT_DEVICE = $(call qstrip,$(BR2_PACKAGE_SUREPLUG_PORT_DEVICE))
endif

# The board. What is not stated must not be there at all.
SUREPLUG_CARGO_ENV += \
	SUREPLUG_PORT_DEVICE="$(SUREPLUG_PORT_DEVICE)" \
	SUREPLUG_MAX_STALL_MS="$(BR2_PACKAGE_SUREPLUG_MAX_STALL_MS)" \
	SUREPLUG_DEVPATH_MAX="$(BR2_PACKAGE_SUREPLUG_DEVPATH_MAX)"

ifneq ($(BR2_PACKAGE_SUREPLUG_USB_PORTS),0)
SUREPLUG_CARGO_ENV += SUREPLUG_USB_PORTS="$(BR2_PACKAGE_SUREPLUG_USB_PORTS)"
endif

ifneq ($(call qstrip,$(BR2_PACKAGE_SUREPLUG_SUBSYSTEMS)),)
SUREPLUG_CARGO_ENV += SUREPLUG_SUBSYSTEMS="$(call qstrip,$(BR2_PACKAGE_SUREPLUG_SUBSYSTEMS))"
endif

ifeq ($(BR2_PACKAGE_SUREPLUG_GPIO),y)
SUREPLUG_CARGO_BUILD_OPTS += --features gpio
SUREPLUG_CARGO_INSTALL_OPTS += --features gpio
endif

SUREPLUG_DIST = $(@D)/board/dist
SUREPLUG_ARGS = $(call qstrip,$(BR2_PACKAGE_SUREPLUG_ARGS))

define SUREPLUG_CHECK_ARGS
	sh $(SUREPLUG_DIST)/check-args '$(subst ','\'',$(SUREPLUG_ARGS))'
endef
SUREPLUG_PRE_BUILD_HOOKS += SUREPLUG_CHECK_ARGS

define SUREPLUG_INSTALL_DEFAULTS
	mkdir -p $(TARGET_DIR)/etc/default
	sed '/^SUREPLUG_ARGS=/d' $(SUREPLUG_DIST)/sureplug.default \
		> $(TARGET_DIR)/etc/default/sureplug
	echo 'SUREPLUG_ARGS="$(SUREPLUG_ARGS)"' \
		>> $(TARGET_DIR)/etc/default/sureplug
	chmod 0644 $(TARGET_DIR)/etc/default/sureplug
endef
SUREPLUG_POST_INSTALL_TARGET_HOOKS += SUREPLUG_INSTALL_DEFAULTS

ifeq ($(BR2_PACKAGE_SUREPLUG_HOOK_MODPROBE),y)
SUREPLUG_HOOK = modprobe
else ifeq ($(BR2_PACKAGE_SUREPLUG_HOOK_MDEV),y)
SUREPLUG_HOOK = mdev
endif

ifneq ($(SUREPLUG_HOOK),)
define SUREPLUG_INSTALL_HOOK
	$(INSTALL) -D -m 0755 $(@D)/board/hooks/$(SUREPLUG_HOOK) \
		$(TARGET_DIR)/usr/lib/sureplug/$(SUREPLUG_HOOK)
	$(INSTALL) -D -m 0644 $(SUREPLUG_DIST)/hook-$(SUREPLUG_HOOK).default \
		$(TARGET_DIR)/etc/default/sureplug-$(SUREPLUG_HOOK)
endef
define SUREPLUG_INSTALL_HOOK_UNIT
	$(INSTALL) -D -m 0644 $(SUREPLUG_DIST)/hook-$(SUREPLUG_HOOK).conf \
		$(TARGET_DIR)/usr/lib/systemd/system/sureplug.service.d/$(SUREPLUG_HOOK).conf
endef
SUREPLUG_POST_INSTALL_TARGET_HOOKS += SUREPLUG_INSTALL_HOOK
endif

ifeq ($(BR2_PACKAGE_SUREPLUG_SYSCTL),y)
define SUREPLUG_INSTALL_SYSCTL
	$(INSTALL) -D -m 0644 $(SUREPLUG_DIST)/sureplug.sysctl \
		$(TARGET_DIR)/etc/sysctl.d/50-sureplug.conf
endef
SUREPLUG_POST_INSTALL_TARGET_HOOKS += SUREPLUG_INSTALL_SYSCTL
endif

define SUREPLUG_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(SUREPLUG_PKGDIR)/S30sureplug \
		$(TARGET_DIR)/etc/init.d/S30sureplug
endef

define SUREPLUG_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(SUREPLUG_PKGDIR)/sureplug.service \
		$(TARGET_DIR)/usr/lib/systemd/system/sureplug.service
	$(INSTALL) -D -m 0644 $(SUREPLUG_DIST)/sureplug.tmpfiles \
		$(TARGET_DIR)/usr/lib/tmpfiles.d/sureplug.conf
	$(SUREPLUG_INSTALL_HOOK_UNIT)
endef

define SUREPLUG_USERS
	- - sureplug -1 * - - - Who may read the events
endef

define SUREPLUG_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_UNIX)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_FS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SYSFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_EPOLL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FILE_LOCKING)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SIGNALFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_TMPFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEVTMPFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NETLINK_DIAG)
endef

$(eval $(cargo-package))
