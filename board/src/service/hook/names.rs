//! The keys that the kernel is known to send, by source file (Linux 4.12 to 6.18).

/// Returns `true` if the kernel is known to send a key.
///
/// A property with such a key becomes a variable of that name. Any other key gets the prefix
/// `UEVENT_`, because the bare name may change how a program, its shell, its loader or its C
/// library works.
#[must_use]
pub fn is_allowed(key: &[u8]) -> bool {
    KNOWN.iter().any(|names| names.split(' ').any(|name| name.as_bytes() == key))
        || FAMILIES.iter().any(|(prefix, rest)| key.strip_prefix(*prefix).is_some_and(rest))
}

/// Returns `true` for upper-case words, as written by `add_prop_uevent` in
/// `drivers/power/supply/power_supply_sysfs.c`.
fn is_words(rest: &[u8]) -> bool {
    !rest.is_empty()
        && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// Returns `true` for letters and digits, as `kobject_action_args` in `lib/kobject_uevent.c`
/// accepts them from user space.
fn is_alphanumeric(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(u8::is_ascii_alphanumeric)
}

fn is_number(rest: &[u8]) -> bool {
    !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

fn is_number_or_count(rest: &[u8]) -> bool {
    rest == b"N" || is_number(rest)
}

/// Checks the rest of a key after its family's prefix.
type Rest = fn(&[u8]) -> bool;

/// Prefixes of keys, with the check of the rest. No program, shell, loader or library takes
/// settings from variables with these prefixes.
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

/// The keys of each source file, separated by spaces.
static KNOWN: &[&str] = &[
    // lib/kobject_uevent.c, lib/kobject.c.
    "ACTION DEVPATH DEVPATH_OLD SUBSYSTEM SEQNUM SYNTH_UUID",
    // drivers/base/core.c.
    "MAJOR MINOR DEVNAME DEVMODE DEVUID DEVGID DEVTYPE DRIVER",
    // Buses whose drivers are modules.
    "MODALIAS",
    // drivers/of/device.c.
    "OF_NAME OF_FULLNAME OF_TYPE",
    // drivers/base/firmware_loader/sysfs.c.
    "FIRMWARE TIMEOUT ASYNC",
    // block/genhd.c, block/partitions/core.c, block/disk-events.c.
    "DISKSEQ PARTN PARTNAME PARTUUID RESIZE DISK_RO DISK_MEDIA_CHANGE DISK_EJECT_REQUEST",
    // drivers/usb/core.
    "PRODUCT TYPE INTERFACE BUSNUM DEVNUM OVER_CURRENT_PORT OVER_CURRENT_COUNT",
    // drivers/usb/gadget/udc/core.c.
    "USB_UDC_NAME USB_UDC_DRIVER",
    // drivers/usb/typec/class.c, drivers/usb/roles/class.c, drivers/usb/phy/phy.c.
    "SVID MODE TYPEC_PORT PRODUCT_TYPE USB_ROLE_SWITCH USB_CHARGER_STATE USB_CHARGER_TYPE",
    // drivers/thunderbolt/switch.c.
    "USB4_VERSION USB4_TYPE AUTHORIZED",
    // drivers/input/input.c.
    "NAME PHYS UNIQ PROP EV KEY REL ABS MSC LED SND FF SW",
    // drivers/input/serio/serio.c.
    "SERIO_TYPE SERIO_PROTO SERIO_ID SERIO_EXTRA SERIO_FIRMWARE_ID",
    // drivers/leds/led-triggers.c.
    "TRIGGER",
    // net/core/net-sysfs.c.
    "IFINDEX",
    // net/rfkill/core.c.
    "RFKILL_NAME RFKILL_TYPE RFKILL_STATE RFKILL_HW_BLOCK_REASON",
    // drivers/pci.
    "PCI_CLASS PCI_ID PCI_SUBSYS_ID PCI_SLOT_NAME ERROR_EVENT DEVICE_ONLINE",
    // drivers/amba/bus.c.
    "AMBA_ID",
    // drivers/mmc/core.
    "MMC_TYPE MMC_NAME SDIO_CLASS SDIO_ID SDIO_REVISION",
    // drivers/memstick/core/memstick.c.
    "MEMSTICK_TYPE MEMSTICK_CATEGORY MEMSTICK_CLASS",
    // drivers/pcmcia/ds.c.
    "SOCKET_NO DEVICE_NO",
    // drivers/w1/w1.c.
    "W1_FID W1_SLAVE_ID",
    // drivers/media/rc/rc-main.c.
    "DRV_NAME DEV_NAME",
    // drivers/media/dvb-core/dvbdev.c.
    "DVB_ADAPTER_NUM DVB_DEVICE_TYPE DVB_DEVICE_NUM",
    // net/wireless/reg.c.
    "COUNTRY",
    // drivers/md/bcache/super.c.
    "CACHED_UUID CACHED_LABEL",
    // drivers/gpu/drm/drm_sysfs.c, drivers/gpu/drm/drm_drv.c.
    "HOTPLUG LEASE CONNECTOR PROPERTY WEDGED",
    // include/uapi/drm/i915_drm.h, drivers/gpu/drm/i915/i915_irq.c.
    "ERROR RESET L3_PARITY_ERROR ROW BANK SUBBANK SLICE",
    // drivers/gpu/drm/i915/gvt/handlers.c.
    "GVT_DISPLAY_READY VMID",
    // drivers/accel/ivpu/ivpu_pm.c.
    "IVPU_PM_EVENT",
    // drivers/video/backlight/backlight.c.
    "SOURCE",
    // drivers/extcon/extcon.c.
    "STATE",
    // drivers/thermal/gov_user_space.c. Without its TEMP: programs take a variable of that name for
    // the directory of temporary files.
    "TRIP EVENT",
    // drivers/md/dm.c, drivers/md/dm-uevent.c, drivers/md/dm-verity-target.c. Not a family, because
    // libdevmapper takes settings from DM_DISABLE_UDEV and others.
    "DM_COOKIE DM_TARGET DM_ACTION DM_SEQNUM DM_PATH DM_NR_VALID_PATHS DM_NAME DM_UUID",
    "DM_VERITY_ERR_BLOCK_NR",
    // drivers/gnss/core.c.
    "GNSS_TYPE",
    // drivers/misc/mei/bus.c.
    "MEI_CL_UUID MEI_CL_NAME MEI_CL_VERSION",
    // drivers/platform/wmi/core.c.
    "WMI_GUID",
    // drivers/nvme/host/core.c.
    "NVME_TRTYPE NVME_TRADDR NVME_TRSVCID NVME_HOST_TRADDR NVME_HOST_IFACE NVME_EVENT NVME_AEN",
    // drivers/nvme/host/fc.c.
    "FC_EVENT NVMEFC_HOST_TRADDR NVMEFC_TRADDR",
    // drivers/xen/xenbus.
    "XENBUS_TYPE XENBUS_PATH XENBUS_BASE_PATH",
    // drivers/net/xen-netback/xenbus.c.
    "script vif",
    // drivers/md/md-cluster.c.
    "DEVICE_UUID RAID_DISK",
    // drivers/ata/libata-acpi.c.
    "BAY_EVENT",
    // drivers/ide/ide.c, up to Linux 5.13.
    "MEDIA DRIVENAME",
    // drivers/scsi/qla2xxx/qla_os.c, drivers/scsi/qedf/qedf_dbg.c.
    "FW_DUMP GRCDUMP",
    // drivers/misc/tifm_core.c.
    "TIFM_CARD_TYPE",
    // drivers/bus/mips_cdmm.c.
    "CDMM_CPU CDMM_TYPE CDMM_REV",
    // drivers/greybus/core.c.
    "BUS MODULE GREYBUS_ID BUNDLE BUNDLE_CLASS",
    // drivers/staging/greybus/gbphy.c.
    "GBPHY PROTOCOL_ID",
    // drivers/staging/greybus/audio_manager_module.c.
    "VID PID INTF_ID",
    // drivers/isdn/mISDN/core.c.
    "nchans",
    // drivers/net/wwan/iosm/iosm_ipc_uevent.c.
    "IOSM_EVENT",
    // drivers/pwm/core.c.
    "EXPORT UNEXPORT",
    // drivers/vfio/mdev/mdev_core.c.
    "MDEV_STATE",
    // drivers/zorro/zorro-driver.c.
    "ZORRO_ID ZORRO_SLOT_NAME ZORRO_SLOT_ADDR",
    // arch/parisc/kernel/drivers.c.
    "PARISC_NAME",
    // drivers/s390/cio, drivers/s390/crypto/ap_bus.c, drivers/s390/char/tape_core.c.
    "ST CU_TYPE CU_MODEL DEV_TYPE DEV_MODEL INITSCAN BINDINGS COMPLETECOUNT CONFIG ONLINE MEDIUM_STATE",
    // drivers/s390/net/qeth_l2_main.c.
    "BRIDGEPORT BRIDGEDHOST ROLE VLAN MAC NTOK_BUSID NTOK_IID NTOK_CHPID NTOK_CHID",
    // drivers/s390/net/smsgiucv_app.c.
    "SMSG_ID SMSG_SENDER SMSG_TEXT",
    // net/batman-adv/main.c.
    "BATTYPE BATACTION BATDATA",
    // fs/gfs2, fs/dlm/lockspace.c.
    "LOCKTABLE LOCKPROTO LOCKSPACE JOURNALID UUID JID RECOVERY RDONLY SPECTATOR FIRSTMOUNT",
    // fs/fuse/virtio_fs.c.
    "TAG",
    // kernel/sched/ext.c.
    "SCXOPS",
    // virt/kvm/kvm_main.c.
    "CREATED COUNT STATS_PATH",
];

#[cfg(test)]
mod tests {
    use super::{FAMILIES, KNOWN, is_allowed};

    #[test]
    fn names_are_unique_and_outside_the_families() {
        let names: Vec<&str> = KNOWN.iter().flat_map(|names| names.split(' ')).collect();
        assert!(names.len() > 200 && !names.contains(&""));
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} is repeated");
            let is_of_family = FAMILIES.iter().any(|(prefix, _)| name.as_bytes().starts_with(prefix));
            assert!(!is_of_family, "{name} belongs to a family");
        }
    }

    #[test]
    fn families_admit_only_keys_that_the_kernel_writes() {
        for key in [&b"POWER_SUPPLY_VOLTAGE_NOW"[..], b"OF_COMPATIBLE_N", b"OF_COMPATIBLE_12", b"SDIO_INFO4"]
        {
            assert!(is_allowed(key), "{}", key.escape_ascii());
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
            assert!(!is_allowed(key), "{}", key.escape_ascii());
        }
    }
}
