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
    ("drivers/usb/typec/class.c, drivers/usb/roles/class.c", &[b"SVID", b"MODE", b"USB_ROLE_SWITCH"]),
    ("drivers/thunderbolt/switch.c", &[b"USB4_VERSION", b"USB4_TYPE"]),
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
    ("net/rfkill/core.c", &[b"RFKILL_NAME", b"RFKILL_TYPE", b"RFKILL_STATE"]),
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
    ("drivers/gpu/drm/drm_sysfs.c", &[b"HOTPLUG", b"LEASE", b"CONNECTOR", b"PROPERTY", b"WEDGED"]),
    ("drivers/video/backlight/backlight.c", &[b"SOURCE"]),
    ("drivers/extcon/extcon.c", &[b"STATE"]),
    // Its TEMP is left out: programs make their temporary files in the directory of that name.
    ("drivers/thermal/gov_user_space.c", &[b"TRIP", b"EVENT"]),
    // No family: libdevmapper takes settings from DM_DISABLE_UDEV and others.
    (
        "drivers/md/dm.c, drivers/md/dm-uevent.c",
        &[
            b"DM_COOKIE",
            b"DM_TARGET",
            b"DM_ACTION",
            b"DM_SEQNUM",
            b"DM_PATH",
            b"DM_NR_VALID_PATHS",
            b"DM_NAME",
            b"DM_UUID",
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
    ("drivers/xen/xenbus", &[b"XENBUS_TYPE", b"XENBUS_PATH", b"XENBUS_BASE_PATH"]),
];

#[cfg(test)]
mod tests {
    use super::{FAMILIES, KNOWN, is_known};

    #[test]
    fn a_name_stands_in_one_place_and_every_place_has_one() {
        let mut names: [&[u8]; 160] = [b""; 160];
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
