//! The positions of a device's own text among the properties of its subsystem.
//!
//! These are all callers of `add_uevent_var` in Linux 4.12 to 6.18 that write text from a device.
//! Text from which the kernel has removed line feeds does not count: the properties of a power
//! supply are cut at the first one (`add_prop_uevent` in
//! `drivers/power/supply/power_supply_sysfs.c`), and the name of a network interface cannot contain
//! one (`dev_valid_name` in `net/core/dev.c`). `PARTNAME` is safe if it comes from a GPT
//! (`utf16_le_to_7bit` in `block/partitions/efi.c`), but is treated as text because other tables
//! are not as careful.

use std::ffi::CStr;

use super::{Lines, key};

/// The most texts of one subsystem.
pub(super) const MAX_TEXTS: usize = 5;

/// The position of text.
pub(super) enum Shape {
    /// Nowhere.
    Plain,
    /// In the value of this key, after which nothing is certain.
    Until(&'static [u8]),
    /// In the value of this key, which repeats the name of the device's directory.
    Named(&'static [u8]),
    /// After properties of the kernel.
    Texts {
        /// The texts in the kernel's order.
        texts: &'static [Text],
        /// A key that the kernel always writes after all of them; empty if there is none.
        anchor: &'static [u8],
    },
}

/// A property with text from the device.
pub(super) struct Text {
    pub(super) key: &'static [u8],
    /// The attribute that shows the same text.
    pub(super) file: Option<&'static CStr>,
    /// Whether the kernel writes it for every device.
    pub(super) is_always: bool,
    /// Whether the kernel quotes it.
    pub(super) is_quoted: bool,
}

impl Text {
    const fn new(key: &'static [u8], file: Option<&'static CStr>) -> Self {
        Self { key, file, is_always: false, is_quoted: false }
    }
}

/// `hid_uevent` in `drivers/hid/hid-core.c`.
static HID: [Text; 3] = [
    Text { is_always: true, ..Text::new(b"HID_NAME", None) },
    Text { is_always: true, ..Text::new(b"HID_PHYS", None) },
    Text { is_always: true, ..Text::new(b"HID_UNIQ", None) },
];

/// `input_dev_uevent` in `drivers/input/input.c`.
static INPUT: [Text; 3] = [
    Text { is_quoted: true, ..Text::new(b"NAME", Some(c"name")) },
    Text { is_quoted: true, ..Text::new(b"PHYS", Some(c"phys")) },
    Text { is_quoted: true, ..Text::new(b"UNIQ", Some(c"uniq")) },
];

/// `sdio_bus_uevent` in `drivers/mmc/core/sdio_bus.c`, followed by a name in `mmc_bus_uevent` in
/// `drivers/mmc/core/bus.c`.
static MMC: [Text; 5] = [
    Text::new(b"SDIO_INFO1", Some(c"info1")),
    Text::new(b"SDIO_INFO2", Some(c"info2")),
    Text::new(b"SDIO_INFO3", Some(c"info3")),
    Text::new(b"SDIO_INFO4", Some(c"info4")),
    Text::new(b"MMC_NAME", Some(c"name")),
];

/// `part_uevent` in `block/partitions/core.c`.
static PARTITION: [Text; 2] = [Text::new(b"PARTNAME", None), Text::new(b"PARTUUID", None)];

/// `rc_dev_uevent` in `drivers/media/rc/rc-main.c`.
static RC: [Text; 1] = [Text::new(b"DEV_NAME", None)];

impl Shape {
    /// Returns the shape of a subsystem's devices. For an unknown subsystem, `lines` decide.
    pub(super) fn of(subsystem: &[u8], lines: &[u8]) -> Self {
        let texts = |texts, anchor| Self::Texts { texts, anchor };
        match subsystem {
            b"hid" => texts(&HID, b"MODALIAS"),
            b"input" => texts(&INPUT, b"PROP"),
            // A card without memory ends with its texts. Its type precedes them.
            b"mmc"
                if Lines(lines)
                    .take_while(|line| !is_text(&MMC, line))
                    .any(|line| line == b"MMC_TYPE=SDIO") =>
            {
                texts(&MMC, b"")
            }
            b"mmc" => texts(&MMC, b"MODALIAS"),
            b"sdio" => texts(&MMC[..4], b"MODALIAS"),
            b"block" => texts(&PARTITION, b""),
            // A name sent by the firmware of the other side: `rpmsg_uevent` in
            // `drivers/rpmsg/rpmsg_core.c`, `tb_service_uevent` in `drivers/thunderbolt/xdomain.c`,
            // `fsl_mc_bus_uevent` in `drivers/bus/fsl-mc/fsl-mc-bus.c`.
            b"fsl-mc" | b"rpmsg" | b"thunderbolt" => Self::Until(b"MODALIAS"),
            // `MODALIAS` repeats the name (`mei_cl_device_uevent` in `drivers/misc/mei/bus.c`).
            b"mei" => Self::Until(b"MEI_CL_NAME"),
            b"rc" => texts(&RC, b""),
            b"power_supply" => Self::Named(b"POWER_SUPPLY_NAME"),
            _ if Lines(lines).any(|line| is_text(&HID, line)) => texts(&HID, b"MODALIAS"),
            _ => Self::Plain,
        }
    }
}

/// Returns `true` if a line begins with the key of one of these texts.
pub(super) fn is_text(texts: &[Text], line: &[u8]) -> bool {
    texts.iter().any(|text| text.key == key(line))
}

/// Returns `true` if devices of a subsystem have a `MODALIAS` without a file `modalias`, and cannot
/// influence it.
///
/// It consists of numbers (`cpu_uevent` in `drivers/base/cpu.c`, `amba_uevent` in
/// `drivers/amba/bus.c`, `bcma_device_uevent` in
/// `drivers/bcma/main.c`, `slim_device_uevent` in `drivers/slimbus/core.c`, `typec_uevent` in `drivers/usb/typec/class.c`,
/// `dfl_bus_uevent` in `drivers/fpga/dfl.c`, `tee_client_device_uevent` in `drivers/tee/tee_core.c`, `mcb_uevent` in
/// `drivers/mcb/mcb-core.c`, `ssb_device_uevent` in `drivers/ssb/main.c`, `coreboot_bus_uevent` in
/// `drivers/firmware/google/coreboot_table.c`), of a driver's name (`auxiliary_uevent` in `drivers/base/auxiliary.c`,
/// `mhi_uevent` in `drivers/bus/mhi/host/init.c`, `mhi_ep_uevent` in `drivers/bus/mhi/ep/main.c`, `vchiq_bus_uevent` in
/// `drivers/staging/vc04_services/interface/vchiq_arm/vchiq_bus.c`), of the device tree (`mdio_uevent` in
/// `drivers/net/phy/mdio_bus.c`, `mipi_dsi_uevent` in `drivers/gpu/drm/drm_mipi_dsi.c`, `spmi_drv_uevent` in `drivers/spmi/spmi.c`,
/// `apr_uevent` in `drivers/soc/qcom/apr.c`, `sunxi_rsb_device_modalias` in `drivers/bus/sunxi-rsb.c`,
/// `nvmem_layout_bus_uevent` in `drivers/nvmem/layouts.c`), or is a constant (`mmc_bus_uevent` in `drivers/mmc/core/bus.c`,
/// `scmdev_uevent` in `drivers/s390/cio/scm.c`, `idxd_bus_uevent` in `drivers/dma/idxd/bus.c`).
pub(super) fn has_modalias_without_file(subsystem: &[u8], value: &[u8]) -> bool {
    match subsystem {
        b"amba" | b"aprbus" | b"auxiliary" | b"bcma" | b"coreboot" | b"cpu" | b"dfl" | b"dsa" | b"mcb"
        | b"mdio_bus" | b"mhi" | b"mhi_ep" | b"mipi-dsi" | b"nvmem-layout" | b"scm" | b"slimbus"
        | b"spmi" | b"ssb" | b"sunxi-rsb" | b"tee" | b"typec" | b"vchiq-bus" => true,
        b"mmc" => value == b"mmc:block",
        _ => false,
    }
}
