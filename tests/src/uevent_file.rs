//! `uevent` files as the kernel writes them, with any text that a device may send, and what may be
//! read from them.

use std::collections::BTreeMap;

use sureplug_board::sysfs::uevent_file::{Facts, FilePart, read};

/// What a kernel knows of a device, and the file that it writes of it.
#[derive(Clone, Debug, Default)]
pub struct Written {
    subsystem: &'static str,
    name: Vec<u8>,
    dev: Option<Vec<u8>>,
    modalias: Option<Vec<u8>>,
    texts: Vec<Option<Vec<u8>>>,
    /// All that it writes, and whether the value is the device's text.
    properties: Vec<(String, Vec<u8>, bool)>,
}

impl Written {
    fn of(subsystem: &'static str) -> Self {
        Self { subsystem, name: b"0003:0627:0001.0001".to_vec(), ..Self::default() }
    }

    fn kernels(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.push((key.to_owned(), value.as_ref().to_vec(), false));
        self
    }

    fn text(mut self, key: &str, value: &[u8]) -> Self {
        self.properties.push((key.to_owned(), value.to_vec(), true));
        self
    }

    fn modalias(mut self, value: &str) -> Self {
        self.modalias = Some(format!("{value}\n").into_bytes());
        self.kernels("MODALIAS", value)
    }

    fn shown(mut self, value: Option<&[u8]>) -> Self {
        self.texts.push(value.map(|value| [value, b"\n"].concat()));
        self
    }

    /// A device of the bus `hid` (`hid_uevent`).
    #[must_use]
    pub fn hid([name, phys, uniq]: [&[u8]; 3], has_version: bool) -> Self {
        let written =
            Self::of("hid").kernels("DRIVER", "hid-generic").kernels("HID_ID", "0003:00000627:00000001");
        let written = written.text("HID_NAME", name).text("HID_PHYS", phys).text("HID_UNIQ", uniq);
        let written = written.modalias("hid:b0003g0001v00000627p00000001");
        if has_version { written.kernels("HID_FIRMWARE_VERSION", "0x0101") } else { written }
    }

    /// A device of the class `input` that is no node (`input_dev_uevent`).
    #[must_use]
    pub fn input(texts: [Option<&[u8]>; 3], has_keys: bool) -> Self {
        let mut written = Self::of("input").kernels("PRODUCT", "3/627/1/110");
        for (key, text) in ["NAME", "PHYS", "UNIQ"].into_iter().zip(texts) {
            if let Some(text) = text {
                written = written.text(key, &[b"\"", text, b"\""].concat());
            }
            written = written.shown(Some(text.unwrap_or_default()));
        }
        let written = written.kernels("PROP", "0").kernels("EV", "17");
        let written = if has_keys { written.kernels("KEY", "70000 0 0 0 0") } else { written };
        written.modalias("input:b0003v0627p0001e0110-e0,1,2,4,k110,111,112,r0,1,8,am4,lsfw")
    }

    /// A battery, which is called after the device (`power_supply_uevent`).
    #[must_use]
    pub fn battery(name: &[u8], model: &[u8]) -> Self {
        let model = model.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut written = Self::of("power_supply").text("POWER_SUPPLY_NAME", name);
        written.name = name.iter().map(|byte| if *byte == b'/' { b'!' } else { *byte }).collect();
        let written = written.kernels("POWER_SUPPLY_ONLINE", "1").text("POWER_SUPPLY_MODEL_NAME", model);
        written.kernels("POWER_SUPPLY_SCOPE", "Device")
    }

    /// A memory card; with `infos`, one that has further functions (`mmc_bus_uevent`).
    #[must_use]
    pub fn card(name: Option<&[u8]>, infos: &[&[u8]]) -> Self {
        let kind = match (name, infos) {
            (Some(_), []) => "SD",
            (Some(_), _) => "SDcombo",
            (None, _) => "SDIO",
        };
        let mut written = Self::of("mmc").kernels("DRIVER", "mmcblk").kernels("MMC_TYPE", kind);
        if kind != "SD" {
            written = written.kernels("SDIO_ID", "02D0:A9A6").kernels("SDIO_REVISION", "0.0");
        }
        for (index, info) in infos.iter().enumerate() {
            written = written.text(&format!("SDIO_INFO{}", index + 1), info);
        }
        for place in 0..4 {
            let is_there = kind != "SD";
            written = written.shown(is_there.then(|| infos.get(place).copied().unwrap_or_default()));
        }
        match name {
            Some(name) => written.text("MMC_NAME", name).shown(Some(name)).kernels("MODALIAS", "mmc:block"),
            None => written.shown(None),
        }
    }

    /// A channel to another processor, which has named it (`rpmsg_uevent`).
    #[must_use]
    pub fn channel(name: &[u8]) -> Self {
        let modalias = [b"rpmsg:", name].concat();
        let written = Self::of("rpmsg").kernels("DRIVER", "rpmsg_chrdev").text("MODALIAS", &modalias);
        Self { modalias: Some([&modalias[..], b"\n"].concat()), ..written }
    }

    /// An interface of a USB device, of which nothing is text (`usb_if_uevent`).
    #[must_use]
    pub fn interface() -> Self {
        Self::of("usb")
            .kernels("DEVTYPE", "usb_interface")
            .kernels("DRIVER", "usbhid")
            .kernels("PRODUCT", "627/1/0")
            .kernels("TYPE", "0/0/0")
            .kernels("INTERFACE", "3/1/2")
            .modalias("usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip02in00")
    }

    /// A disk, with its node (`block_uevent`).
    #[must_use]
    pub fn disk() -> Self {
        let mut written = Self::of("block").kernels("MAJOR", "8").kernels("MINOR", "16");
        written.dev = Some(b"8:16\n".to_vec());
        written.kernels("DEVNAME", "sdb").kernels("DEVTYPE", "disk").kernels("DISKSEQ", "9")
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let lines =
            self.properties.iter().map(|(key, value, _)| [key.as_bytes(), b"=", value, b"\n"].concat());
        lines.flatten().collect()
    }

    /// Reads it, and returns the properties and the lines that were refused.
    ///
    /// # Panics
    ///
    /// If a key comes twice.
    #[must_use]
    pub fn read(&self) -> (BTreeMap<String, Vec<u8>>, Vec<Vec<u8>>) {
        let file = self.file();
        let mut facts = Facts {
            subsystem: self.subsystem.as_bytes(),
            name: &self.name,
            driver: self
                .properties
                .iter()
                .find(|(key, ..)| key == "DRIVER")
                .map(|(_, value, _)| value.as_slice()),
            dev: self.dev.as_deref(),
            modalias: self.modalias.as_deref(),
            ..Facts::default()
        };
        for (place, text) in facts.texts.iter_mut().zip(&self.texts) {
            *place = text.as_deref();
        }
        let (mut properties, mut refused) = (BTreeMap::new(), Vec::new());
        read(&file, &facts, &mut |part| match part {
            FilePart::Property { key, value } => {
                let key = String::from_utf8(key.to_vec()).expect("a key of the kernel's");
                assert_eq!(properties.insert(key, value.to_vec()), None, "a key comes once");
            }
            FilePart::Refused(line) => refused.push(line.to_vec()),
        });
        (properties, refused)
    }

    /// Checks that nothing which the device wrote became another key, and that a device which wrote no line feed lost
    /// nothing.
    ///
    /// # Panics
    ///
    /// If that is not so.
    pub fn check(&self) {
        let (properties, refused) = self.read();
        let shown = || self.file().escape_ascii().to_string();
        for (key, value) in &properties {
            let Some((_, truth, is_text)) = self.properties.iter().find(|(known, ..)| known == key) else {
                panic!("{key} is forged: {}", shown());
            };
            // Of a text, the first line may be all that is known.
            let first = truth.split(|byte| *byte == b'\n').next();
            let is_cut = *is_text && Some(value.as_slice()) == first;
            assert!(value == truth || is_cut, "{key} is forged: {}", shown());
        }
        if !self.properties.iter().any(|(_, value, _)| value.contains(&b'\n')) {
            assert_eq!(refused, Vec::<Vec<u8>>::new(), "{}", shown());
            assert_eq!(properties.len(), self.properties.len(), "{}", shown());
        }
    }
}

/// Checks the files of devices whose text consists of arbitrary bytes.
pub fn check_bytes(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    // No string of the kernel's holds a NUL.
    let mut texts = rest.split(|byte| *byte == 0);
    let mut text = || texts.next().unwrap_or_default();
    let (first, second, third) = (text(), text(), text());
    let flag = kind & 0x80 != 0;
    let written = match kind & 7 {
        0 | 1 => Written::hid([first, second, third], flag),
        2 | 3 => {
            let given = |bit: u8, text| (kind & (8 << bit) != 0).then_some(text);
            Written::input([given(0, first), given(1, second), given(2, third)], flag)
        }
        4 if flag => Written::channel(first),
        4 => Written::battery(first, second),
        5 => Written::card(flag.then_some(first), &[]),
        6 => Written::card(flag.then_some(first), &[second]),
        _ => Written::card(flag.then_some(first), &[second, third]),
    };
    written.check();
}
