//! The keys that the kernel is known to send, by what sends them (Linux 4.12 to 6.18).

/// Returns `true` if the kernel is known to send a key. Such a key names a variable as it is.
///
/// A family's prefix belongs to it alone: no program, shell, loader or library takes settings from variables that
/// begin so.
#[must_use]
pub(super) fn is_known(key: &[u8]) -> bool {
    KNOWN.iter().any(|(_, names)| names.contains(&key))
        || FAMILIES.iter().any(|(prefix, rest)| key.strip_prefix(*prefix).is_some_and(rest))
}

/// Upper-case words, as `add_prop_uevent` in `drivers/power/supply/power_supply_sysfs.c` makes them.
fn is_words(rest: &[u8]) -> bool {
    !rest.is_empty()
        && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// Letters and digits, as `kobject_action_args` in `lib/kobject_uevent.c` takes them from user space.
fn is_alphanumeric(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(u8::is_ascii_alphanumeric)
}

fn is_number(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

fn is_number_or_count(rest: &[u8]) -> bool {
    rest == b"N" || is_number(rest)
}

/// What keys of a family have behind their prefix.
type Rest = fn(&[u8]) -> bool;

static FAMILIES: [(&[u8], Rest); 7] = [
    // `drivers/power/supply/power_supply_sysfs.c`.
    (b"POWER_SUPPLY_", is_words),
    // `of_device_uevent` in `drivers/of/device.c`.
    (b"OF_COMPATIBLE_", is_number_or_count),
    (b"OF_ALIAS_", is_number),
    // `hid_uevent` in `drivers/hid/hid-core.c`.
    (b"HID_", is_words),
    // `mmc_bus_uevent` in `drivers/mmc/core/bus.c`.
    (b"SDIO_INFO", is_number),
    // `kobject_action_args` in `lib/kobject_uevent.c`.
    (b"SYNTH_ARG_", is_alphanumeric),
    // `scsi_evt_emit` in `drivers/scsi/scsi_lib.c`.
    (b"SDEV_", is_words),
];

/// Where the kernel sends keys, and which.
static KNOWN: &[(&str, &[&[u8]])] = &[
    (
        "lib/kobject_uevent.c, lib/kobject.c",
        &[b"ACTION", b"DEVPATH", b"DEVPATH_OLD", b"SUBSYSTEM", b"SEQNUM", b"SYNTH_UUID"],
    ),
    (
        "drivers/base/core.c",
        &[b"MAJOR", b"MINOR", b"DEVNAME", b"DEVMODE", b"DEVUID", b"DEVGID", b"DEVTYPE", b"DRIVER"],
    ),
    ("buses with modules to load", &[b"MODALIAS"]),
    ("drivers/of/device.c", &[b"OF_NAME", b"OF_FULLNAME", b"OF_TYPE"]),
    ("drivers/base/firmware_loader/sysfs.c", &[b"FIRMWARE", b"TIMEOUT", b"ASYNC"]),
    (
        "block/genhd.c, block/partitions/core.c, block/disk-events.c",
        &[
            b"DISKSEQ",
            b"PARTN",
            b"PARTNAME",
            b"PARTUUID",
            b"RESIZE",
            b"DISK_RO",
            b"DISK_MEDIA_CHANGE",
            b"DISK_EJECT_REQUEST",
        ],
    ),
    (
        "drivers/usb/core",
        &[
            b"PRODUCT",
            b"TYPE",
            b"INTERFACE",
            b"BUSNUM",
            b"DEVNUM",
            b"OVER_CURRENT_PORT",
            b"OVER_CURRENT_COUNT",
        ],
    ),
    ("drivers/usb/gadget/udc/core.c", &[b"USB_UDC_NAME", b"USB_UDC_DRIVER"]),
    (
        "drivers/usb/typec/class.c, drivers/usb/roles/class.c, drivers/usb/phy/phy.c",
        &[
            b"SVID",
            b"MODE",
            b"TYPEC_PORT",
            b"PRODUCT_TYPE",
            b"USB_ROLE_SWITCH",
            b"USB_CHARGER_STATE",
            b"USB_CHARGER_TYPE",
        ],
    ),
    ("drivers/thunderbolt/switch.c", &[b"USB4_VERSION", b"USB4_TYPE", b"AUTHORIZED"]),
    (
        "drivers/input/input.c",
        &[
            b"NAME", b"PHYS", b"UNIQ", b"PROP", b"EV", b"KEY", b"REL", b"ABS", b"MSC", b"LED", b"SND", b"FF",
            b"SW",
        ],
    ),
    (
        "drivers/input/serio/serio.c",
        &[b"SERIO_TYPE", b"SERIO_PROTO", b"SERIO_ID", b"SERIO_EXTRA", b"SERIO_FIRMWARE_ID"],
    ),
    ("drivers/leds/led-triggers.c", &[b"TRIGGER"]),
    ("net/core/net-sysfs.c", &[b"IFINDEX"]),
    ("net/rfkill/core.c", &[b"RFKILL_NAME", b"RFKILL_TYPE", b"RFKILL_STATE", b"RFKILL_HW_BLOCK_REASON"]),
    (
        "drivers/pci",
        &[b"PCI_CLASS", b"PCI_ID", b"PCI_SUBSYS_ID", b"PCI_SLOT_NAME", b"ERROR_EVENT", b"DEVICE_ONLINE"],
    ),
    ("drivers/amba/bus.c", &[b"AMBA_ID"]),
    ("drivers/mmc/core", &[b"MMC_TYPE", b"MMC_NAME", b"SDIO_CLASS", b"SDIO_ID", b"SDIO_REVISION"]),
    ("drivers/memstick/core/memstick.c", &[b"MEMSTICK_TYPE", b"MEMSTICK_CATEGORY", b"MEMSTICK_CLASS"]),
    ("drivers/pcmcia/ds.c", &[b"SOCKET_NO", b"DEVICE_NO"]),
    ("drivers/w1/w1.c", &[b"W1_FID", b"W1_SLAVE_ID"]),
    ("drivers/media/rc/rc-main.c", &[b"DRV_NAME", b"DEV_NAME"]),
    ("drivers/media/dvb-core/dvbdev.c", &[b"DVB_ADAPTER_NUM", b"DVB_DEVICE_TYPE", b"DVB_DEVICE_NUM"]),
    ("net/wireless/reg.c", &[b"COUNTRY"]),
    ("drivers/md/bcache/super.c", &[b"CACHED_UUID", b"CACHED_LABEL"]),
    (
        "drivers/gpu/drm/drm_sysfs.c, drivers/gpu/drm/drm_drv.c",
        &[b"HOTPLUG", b"LEASE", b"CONNECTOR", b"PROPERTY", b"WEDGED"],
    ),
    (
        "include/uapi/drm/i915_drm.h, drivers/gpu/drm/i915/i915_irq.c",
        &[b"ERROR", b"RESET", b"L3_PARITY_ERROR", b"ROW", b"BANK", b"SUBBANK", b"SLICE"],
    ),
    ("drivers/gpu/drm/i915/gvt/handlers.c", &[b"GVT_DISPLAY_READY", b"VMID"]),
    ("drivers/accel/ivpu/ivpu_pm.c", &[b"IVPU_PM_EVENT"]),
    ("drivers/video/backlight/backlight.c", &[b"SOURCE"]),
    ("drivers/extcon/extcon.c", &[b"STATE"]),
    // Its TEMP is left out: programs make their temporary files in the directory of that name.
    ("drivers/thermal/gov_user_space.c", &[b"TRIP", b"EVENT"]),
    // No family: libdevmapper takes settings from DM_DISABLE_UDEV and others.
    (
        "drivers/md/dm.c, drivers/md/dm-uevent.c, drivers/md/dm-verity-target.c",
        &[
            b"DM_COOKIE",
            b"DM_TARGET",
            b"DM_ACTION",
            b"DM_SEQNUM",
            b"DM_PATH",
            b"DM_NR_VALID_PATHS",
            b"DM_NAME",
            b"DM_UUID",
            b"DM_VERITY_ERR_BLOCK_NR",
        ],
    ),
    ("drivers/gnss/core.c", &[b"GNSS_TYPE"]),
    ("drivers/misc/mei/bus.c", &[b"MEI_CL_UUID", b"MEI_CL_NAME", b"MEI_CL_VERSION"]),
    ("drivers/platform/wmi/core.c", &[b"WMI_GUID"]),
    (
        "drivers/nvme/host/core.c",
        &[
            b"NVME_TRTYPE",
            b"NVME_TRADDR",
            b"NVME_TRSVCID",
            b"NVME_HOST_TRADDR",
            b"NVME_HOST_IFACE",
            b"NVME_EVENT",
            b"NVME_AEN",
        ],
    ),
    ("drivers/nvme/host/fc.c", &[b"FC_EVENT", b"NVMEFC_HOST_TRADDR", b"NVMEFC_TRADDR"]),
    ("drivers/xen/xenbus", &[b"XENBUS_TYPE", b"XENBUS_PATH", b"XENBUS_BASE_PATH"]),
    ("drivers/net/xen-netback/xenbus.c", &[b"script", b"vif"]),
    ("drivers/md/md-cluster.c", &[b"DEVICE_UUID", b"RAID_DISK"]),
    ("drivers/ata/libata-acpi.c", &[b"BAY_EVENT"]),
    ("drivers/ide/ide.c, up to Linux 5.13", &[b"MEDIA", b"DRIVENAME"]),
    ("drivers/scsi/qla2xxx/qla_os.c, drivers/scsi/qedf/qedf_dbg.c", &[b"FW_DUMP", b"GRCDUMP"]),
    ("drivers/misc/tifm_core.c", &[b"TIFM_CARD_TYPE"]),
    ("drivers/bus/mips_cdmm.c", &[b"CDMM_CPU", b"CDMM_TYPE", b"CDMM_REV"]),
    ("drivers/greybus/core.c", &[b"BUS", b"MODULE", b"GREYBUS_ID", b"BUNDLE", b"BUNDLE_CLASS"]),
    ("drivers/staging/greybus/gbphy.c", &[b"GBPHY", b"PROTOCOL_ID"]),
    ("drivers/staging/greybus/audio_manager_module.c", &[b"VID", b"PID", b"INTF_ID"]),
    ("drivers/isdn/mISDN/core.c", &[b"nchans"]),
    ("drivers/net/wwan/iosm/iosm_ipc_uevent.c", &[b"IOSM_EVENT"]),
    ("drivers/pwm/core.c", &[b"EXPORT", b"UNEXPORT"]),
    ("drivers/vfio/mdev/mdev_core.c", &[b"MDEV_STATE"]),
    ("drivers/zorro/zorro-driver.c", &[b"ZORRO_ID", b"ZORRO_SLOT_NAME", b"ZORRO_SLOT_ADDR"]),
    ("arch/parisc/kernel/drivers.c", &[b"PARISC_NAME"]),
    (
        "drivers/s390/cio, drivers/s390/crypto/ap_bus.c, drivers/s390/char/tape_core.c",
        &[
            b"ST",
            b"CU_TYPE",
            b"CU_MODEL",
            b"DEV_TYPE",
            b"DEV_MODEL",
            b"INITSCAN",
            b"BINDINGS",
            b"COMPLETECOUNT",
            b"CONFIG",
            b"ONLINE",
            b"MEDIUM_STATE",
        ],
    ),
    (
        "drivers/s390/net/qeth_l2_main.c",
        &[
            b"BRIDGEPORT",
            b"BRIDGEDHOST",
            b"ROLE",
            b"VLAN",
            b"MAC",
            b"NTOK_BUSID",
            b"NTOK_IID",
            b"NTOK_CHPID",
            b"NTOK_CHID",
        ],
    ),
    ("drivers/s390/net/smsgiucv_app.c", &[b"SMSG_ID", b"SMSG_SENDER", b"SMSG_TEXT"]),
    ("net/batman-adv/main.c", &[b"BATTYPE", b"BATACTION", b"BATDATA"]),
    (
        "fs/gfs2, fs/dlm/lockspace.c",
        &[
            b"LOCKTABLE",
            b"LOCKPROTO",
            b"LOCKSPACE",
            b"JOURNALID",
            b"UUID",
            b"JID",
            b"RECOVERY",
            b"RDONLY",
            b"SPECTATOR",
            b"FIRSTMOUNT",
        ],
    ),
    ("fs/fuse/virtio_fs.c", &[b"TAG"]),
    ("kernel/sched/ext.c", &[b"SCXOPS"]),
    ("virt/kvm/kvm_main.c", &[b"CREATED", b"COUNT", b"STATS_PATH"]),
];

#[cfg(test)]
mod tests {
    use super::{FAMILIES, KNOWN, is_known};

    #[test]
    fn a_name_stands_in_one_place_and_every_place_has_one() {
        let mut names: [&[u8]; 320] = [b""; 320];
        let mut count = 0;
        for (source, known) in KNOWN {
            assert!(!source.is_empty() && !known.is_empty(), "{source}");
            for name in *known {
                assert!(!names.contains(name), "{} comes again", name.escape_ascii());
                let is_of_family = FAMILIES.iter().any(|(prefix, _)| name.starts_with(prefix));
                assert!(!is_of_family, "{} is of a family", name.escape_ascii());
                names[count] = name;
                count += 1;
            }
        }
    }

    #[test]
    fn a_family_has_no_more_than_the_kernel_writes() {
        for key in [&b"POWER_SUPPLY_VOLTAGE_NOW"[..], b"OF_COMPATIBLE_N", b"OF_COMPATIBLE_12", b"SDIO_INFO4"]
        {
            assert!(is_known(key), "{}", key.escape_ascii());
        }
        for key in [
            &b"POWER_SUPPLY_"[..],
            b"POWER_SUPPLY_x",
            b"POWER_SUPPLY_()",
            b"OF_COMPATIBLE_",
            b"OF_COMPATIBLE_X",
            b"OF_COMPATIBLE_1N",
            b"SDIO_INFO",
            b"SDIO_INFOX",
            b"SYNTH_ARG_A-B",
            b"",
        ] {
            assert!(!is_known(key), "{}", key.escape_ascii());
        }
    }
}
