use super::truesize::SkbAbi;

/// Digits of `SEQNUM` that a budget assumes: up to ten billion events since boot.
pub const BUDGET_SEQNUM_DIGITS: u8 = 10;

/// Bytes of a port's name that a budget assumes: `1-1.2.3.4.5.6`, a device behind the most hubs
/// that USB allows (`MAX_TOPO_LEVEL` in `drivers/usb/core/hub.c`).
pub const BUDGET_PORT_NAME_LEN: u8 = 13;

/// Bytes by which the devpath of a device behind the most hubs that USB allows exceeds that of a
/// device in the port: `/1-1.2/1-1.2.3/1-1.2.3.4/1-1.2.3.4.5/1-1.2.3.4.5.6`.
const HUBS_DEVPATH_LEN: u16 = 50;

/// Bytes that a budget adds to each event for numbers that grow with uptime or with other devices,
/// and occur several times in an event: `input12`, `host10`, `DISKSEQ`, `IFINDEX`, `MINOR`.
pub const BUDGET_COUNTER_GROWTH: u8 = 16;

/// The subsystems of objects that drivers make in `/devices/virtual` for a plugged device: a disk's
/// writeback and its queue. No others were captured.
pub const VIRTUAL_SUBSYSTEMS: [&[u8]; 2] = [b"bdi", b"workqueue"];

/// Lengths on one board that determine the length of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LengthBasis {
    /// Bytes of the plugged device's devpath, `/devices/…/usb1/1-1`.
    pub devpath_len: u16,
    /// Bytes of its last part, `1-1`, with which the names of interfaces and of a hub's children
    /// begin.
    pub port_name_len: u8,
    /// Digits of `SEQNUM`.
    pub seqnum_digits: u8,
    /// Bytes added to each event for other numbers that grow.
    pub counter_growth: u8,
}

impl LengthBasis {
    /// Returns the lengths in captured events.
    #[must_use]
    pub const fn captured(devpath_len: u16, port_name_len: u8, seqnum_digits: u8) -> Self {
        Self { devpath_len, port_name_len, seqnum_digits, counter_growth: 0 }
    }

    /// Returns the lengths that a budget assumes if no devpath of a plugged device is longer than
    /// `devpath_max` bytes.
    #[must_use]
    pub const fn budget(devpath_max: u16) -> Self {
        Self {
            devpath_len: devpath_max,
            port_name_len: BUDGET_PORT_NAME_LEN,
            seqnum_digits: BUDGET_SEQNUM_DIGITS,
            counter_growth: BUDGET_COUNTER_GROWTH,
        }
    }

    /// Returns the lengths for a device behind the most hubs that USB allows.
    pub(super) const fn behind_hubs(self) -> Self {
        Self { devpath_len: self.devpath_len + HUBS_DEVPATH_LEN, ..self }
    }
}

/// Events of one length, without the parts that depend on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EventShape {
    /// Bytes of the datagram without the copies of devpath and port name, and without the digits of
    /// `SEQNUM`.
    pub base_len: u16,
    /// The number of such events.
    pub count: u16,
    /// How often the event contains the plugged device's devpath: twice, or never for virtual
    /// devices that a driver makes (`/devices/virtual/bdi/8:0`).
    pub devpath_copies: u8,
    /// How often the event contains the port's name elsewhere: twice for `/1-1:1.0` below the
    /// devpath.
    pub name_copies: u8,
}

impl EventShape {
    /// Returns `true` for events of a virtual device, which is not below the plugged device.
    #[must_use]
    pub const fn is_of_virtual(&self) -> bool {
        self.devpath_copies == 0
    }

    /// Returns the bytes of such a datagram.
    #[must_use]
    pub const fn datagram_len(&self, at: LengthBasis) -> u32 {
        // This cannot overflow: three products of 8 and 16 bits.
        self.base_len as u32
            + self.devpath_copies as u32 * at.devpath_len as u32
            + self.name_copies as u32 * at.port_name_len as u32
            + at.seqnum_digits as u32
            + at.counter_growth as u32
    }
}

/// The events of one plug or of one unplug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EventShapes<'a>(pub &'a [EventShape]);

impl EventShapes<'_> {
    /// Returns the number of events.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.own_count().saturating_add(self.count_of(true))
    }

    /// Returns the number of events of devices at and below the plugged one.
    #[must_use]
    pub const fn own_count(&self) -> u32 {
        self.count_of(false)
    }

    /// Returns the bytes charged for all events.
    #[must_use]
    pub const fn charge(&self, at: LengthBasis, abi: SkbAbi) -> u64 {
        self.own_charge(at, abi).saturating_add(self.virtual_charge(at, abi))
    }

    /// Returns the bytes charged for the events of devices at and below the plugged one.
    #[must_use]
    pub const fn own_charge(&self, at: LengthBasis, abi: SkbAbi) -> u64 {
        self.charge_of(false, at, abi)
    }

    /// Returns the bytes charged for events of virtual devices that drivers make, in
    /// [`VIRTUAL_SUBSYSTEMS`].
    #[must_use]
    pub const fn virtual_charge(&self, at: LengthBasis, abi: SkbAbi) -> u64 {
        self.charge_of(true, at, abi)
    }

    // The loops split the slice: `for` is not const, and an index could be out of bounds.

    const fn count_of(&self, of_virtual: bool) -> u32 {
        let (mut shapes, mut events) = (self.0, 0_u32);
        while let [first, rest @ ..] = shapes {
            if first.is_of_virtual() == of_virtual {
                events = events.saturating_add(first.count as u32);
            }
            shapes = rest;
        }
        events
    }

    const fn charge_of(&self, of_virtual: bool, at: LengthBasis, abi: SkbAbi) -> u64 {
        let (mut shapes, mut bytes) = (self.0, 0_u64);
        while let [first, rest @ ..] = shapes {
            if first.is_of_virtual() == of_virtual {
                let each = abi.truesize(first.datagram_len(at)) as u64;
                bytes = bytes.saturating_add(each.saturating_mul(first.count as u64));
            }
            shapes = rest;
        }
        bytes
    }
}

/// The events that a device in one port raises when it is plugged and unplugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlugProfile<'a> {
    /// The events of one plug. For a [`CustomDevice`](super::CustomDevice), those of the unplug
    /// too.
    pub plug: EventShapes<'a>,
    /// The events of one unplug.
    pub unplug: EventShapes<'a>,
    /// USB devices that come and go together, the plugged one included.
    pub devices: u8,
    /// The number of such devices in one port at once, behind hubs. The hubs count too: each raises
    /// fewer events than any class.
    pub copies: u32,
    /// The shortest time in milliseconds in which the device comes and goes.
    pub shortest_cycle_ms: u32,
}

impl PlugProfile<'_> {
    /// Returns the bytes charged for events of virtual devices in one plug and unplug of one
    /// device.
    #[must_use]
    pub const fn virtual_charge(&self, at: LengthBasis, abi: SkbAbi) -> u64 {
        self.plug.virtual_charge(at, abi).saturating_add(self.unplug.virtual_charge(at, abi))
    }
}
