################################################################################
#
# sureplug
#
################################################################################

SUREPLUG_VERSION = 0.1.0
SUREPLUG_SITE = $(call qstrip,$(BR2_PACKAGE_SUREPLUG_SITE))
# The archive includes its crates, so that its checksum does not depend on
# cargo's version.
SUREPLUG_SOURCE = sureplug-$(SUREPLUG_VERSION)-vendored.tar.gz
SUREPLUG_LICENSE = MIT or Apache-2.0
SUREPLUG_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
# The program's crate. The workspace above it has the lock file.
SUREPLUG_SUBDIR = board

# tests/recipes/release writes the hash file of a release. Without it, the
# archive of this tree is built, even if it differs from an earlier one.
SUREPLUG_HASH = $(wildcard $(BR2_EXTERNAL_SUREPLUG_PATH)/package/sureplug/sureplug.hash)
SUREPLUG_ARCHIVE = $(abspath $(patsubst file://%,%,$(SUREPLUG_SITE))/$(SUREPLUG_SOURCE))
SUREPLUG_RELEASE = $(abspath $(BR2_EXTERNAL_SUREPLUG_PATH)/../tests/recipes/release)

ifneq ($(filter file://%,$(SUREPLUG_SITE)),)
define SUREPLUG_TAKE_ARCHIVE
	$(Q)if [ -e $(SUREPLUG_ARCHIVE) ]; then \
		$(INSTALL) -D -m 0644 $(SUREPLUG_ARCHIVE) $(SUREPLUG_DL_DIR)/$(SUREPLUG_SOURCE); \
	elif [ -z "$(SUREPLUG_HASH)" ]; then \
		echo "sureplug: $(SUREPLUG_ARCHIVE) is missing: make it with $(SUREPLUG_RELEASE) $(patsubst %/,%,$(dir $(SUREPLUG_ARCHIVE)))" >&2; \
		exit 1; \
	fi
endef
SUREPLUG_PRE_DOWNLOAD_HOOKS += SUREPLUG_TAKE_ARCHIVE
else
define SUREPLUG_NEED_HASH
	$(Q)if [ -z "$(SUREPLUG_HASH)" ]; then \
		echo "sureplug: no hash for $(SUREPLUG_SITE): copy the release's sureplug.hash to package/sureplug" >&2; \
		exit 1; \
	fi
endef
SUREPLUG_PRE_DOWNLOAD_HOOKS += SUREPLUG_NEED_HASH
endif

# Removes the build machine's paths from the program. RUSTFLAGS replaces
# Buildroot's own flags for the target, so the flag for ARM is repeated
# (package/pkg-cargo.mk).
SUREPLUG_RUSTFLAGS = --remap-path-prefix=$(@D)=sureplug
ifeq ($(NORMALIZED_ARCH),arm)
SUREPLUG_RUSTFLAGS += -Clink-arg=-Wl,--allow-multiple-definition
endif
SUREPLUG_CARGO_ENV = RUSTFLAGS="$(SUREPLUG_RUSTFLAGS)"

ifeq ($(BR2_ENABLE_DEBUG),y)
# gdb on the host needs the symbols.
SUREPLUG_CARGO_ENV += CARGO_PROFILE_RELEASE_STRIP="none"
else
# Restores the release profile of Cargo.toml: Buildroot's has no LTO and 16
# codegen units.
SUREPLUG_CARGO_ENV += \
	CARGO_PROFILE_RELEASE_OPT_LEVEL="s" \
	CARGO_PROFILE_RELEASE_LTO="fat" \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1"
endif

ifeq ($(BR2_PACKAGE_SUREPLUG_PORT_DEVICE_CUSTOM),y)
SUREPLUG_PORT_DEVICE = custom:$(call qstrip,$(BR2_PACKAGE_SUREPLUG_PORT_DEVICE_FIGURES))
else
SUREPLUG_PORT_DEVICE = $(call qstrip,$(BR2_PACKAGE_SUREPLUG_PORT_DEVICE))
endif

# The board's profile. The build rejects impossible values, and empty ones,
# which are therefore left out.
SUREPLUG_CARGO_ENV += SUREPLUG_PORT_DEVICE="$(SUREPLUG_PORT_DEVICE)" \
	$(foreach name,USB_PORTS DEVICES_PER_PORT MAX_STALL_MS DEVPATH_MAX SUBSYSTEMS,$(if $(call qstrip,$(BR2_PACKAGE_SUREPLUG_$(name))),SUREPLUG_$(name)="$(call qstrip,$(BR2_PACKAGE_SUREPLUG_$(name)))"))

# Omits the unwinder, about 200 kB.
SUREPLUG_CARGO_BUILD_OPTS = --features small
SUREPLUG_CARGO_INSTALL_OPTS = --features small
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

# Kconfig silently ignores an unquoted value of a string.
define SUREPLUG_CHECK_QUOTES
	$(Q)if grep -sE '^BR2_PACKAGE_SUREPLUG_[A-Z0-9_]+=' \
			$(BR2_CONFIG) $(call qstrip,$(BR2_DEFCONFIG)) | \
			grep -vE '=(".*"|[yn])$$'; then \
		echo "sureplug: put the values above in quotes: Kconfig ignores them" >&2; \
		exit 1; \
	fi
endef
SUREPLUG_PRE_BUILD_HOOKS += SUREPLUG_CHECK_QUOTES

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

ifneq ($(BR2_PACKAGE_KMOD_TOOLS),y)
define SUREPLUG_ENABLE_MODPROBE
	$(call KCONFIG_ENABLE_OPT,CONFIG_MODPROBE)
endef
endif
ifeq ($(SUREPLUG_HOOK),mdev)
define SUREPLUG_ENABLE_MDEV
	$(call KCONFIG_ENABLE_OPT,CONFIG_MDEV)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FEATURE_MDEV_CONF)
endef
endif
define SUREPLUG_BUSYBOX_CONFIG_FIXUPS
	$(SUREPLUG_ENABLE_MODPROBE)
	$(SUREPLUG_ENABLE_MDEV)
endef
endif

ifeq ($(BR2_PACKAGE_SUREPLUG_MOUNT),y)
define SUREPLUG_INSTALL_MOUNT
	$(INSTALL) -D -m 0755 $(@D)/board/hooks/mount \
		$(TARGET_DIR)/usr/lib/sureplug/mount
	$(INSTALL) -D -m 0644 $(SUREPLUG_DIST)/sureplug-mount@.service \
		$(TARGET_DIR)/usr/lib/systemd/system/sureplug-mount@.service
endef
SUREPLUG_POST_INSTALL_TARGET_HOOKS += SUREPLUG_INSTALL_MOUNT
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
	- - sureplug -1 * - - - May read the events
endef

define SUREPLUG_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_UNIX)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_FS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_SYSCTL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SYSFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_EPOLL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FILE_LOCKING)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FUTEX)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SIGNALFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_TMPFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEVTMPFS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NETLINK_DIAG)
endef

$(eval $(cargo-package))
