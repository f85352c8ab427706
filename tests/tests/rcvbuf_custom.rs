//! Profiles of one's own: `custom:` in text, and `PlugProfile`.

use proptest::prelude::*;
use sureplug_core::rcvbuf::{
    Budget, CustomDevice, DeviceClass, EventShapes, LengthBasis, MAX_CUSTOM_GROUPS, Others, PlugProfile,
    PortDevice, Requirements, SizingError, SkbAbi, UsbTopology,
};

#[test]
fn custom_devices_in_const_context() {
    const DEVICE: Result<PortDevice, SizingError> = PortDevice::parse("custom:12x180+4x420@900");
    let device = DEVICE.expect("well-formed");
    let profile = device.profile();
    assert_eq!((profile.plug.count(), profile.unplug.count()), (16, 0));
    assert_eq!((profile.devices, profile.shortest_cycle_ms), (1, 900));
    // 180 + 2 × 66 + 4 and 420 + 2 × 66 + 4 bytes, both within the step up to 704.
    let at = LengthBasis::captured(66, 3, 4);
    assert_eq!(profile.plug.charge(at, SkbAbi::ARM64_6_1), 16 * 1_280);
}

#[test]
fn errors_of_custom_devices_have_an_offset() {
    let cases = [
        ("custom:", 7),
        ("custom:x1@1", 7),
        ("custom:1@1", 8),
        ("custom:1x@1", 9),
        ("custom:1x1", 10),
        ("custom:1x1@", 11),
        ("custom:1x1+@1", 11),
        ("custom:1x1@1ms", 12),
        ("custom:0x1@1", 7),
        ("custom:65536x1@1", 7),
        ("custom:1x0@1", 9),
        ("custom:1x4097@1", 9),
        ("custom:1x1@0", 11),
        ("custom:1x1@600001", 11),
        ("custom:1x1@99999999999999999999", 11),
        ("custom:-1x1@1", 7),
        ("storage", 0),
    ];
    for (text, offset) in cases {
        assert_eq!(CustomDevice::parse(text), Err(SizingError::CustomSyntax { offset }), "{text}");
    }
    let groups = |count| format!("custom:{}@1", vec!["1x1"; count].join("+"));
    assert!(CustomDevice::parse(&groups(MAX_CUSTOM_GROUPS)).is_ok());
    let too_many = SizingError::TooManyGroups { offset: 7 + 4 * MAX_CUSTOM_GROUPS };
    assert_eq!(CustomDevice::parse(&groups(MAX_CUSTOM_GROUPS + 1)), Err(too_many));
}

#[test]
fn a_profile_of_ones_own_needs_events_a_device_and_time() {
    let mouse = DeviceClass::Mouse.profile();
    let none = EventShapes(&[]);
    let sized = |profile| {
        let topology = UsbTopology { buses: 1, ports: 1 };
        let (abi, others) = (SkbAbi::BOUND_64, Others::Filtered);
        Budget::new(&Requirements { topology, profile, max_stall_ms: 1, devpath_max: 96, abi, others })
    };
    assert!(sized(PlugProfile { unplug: none, ..mouse }).is_ok());
    for profile in [
        PlugProfile { plug: none, unplug: none, ..mouse },
        PlugProfile { devices: 0, ..mouse },
        PlugProfile { shortest_cycle_ms: 0, ..mouse },
    ] {
        assert_eq!(sized(profile), Err(SizingError::EmptyProfile));
    }
}

proptest! {
    #[test]
    fn custom_round_trip(
        groups in prop::collection::vec((1..=u16::MAX, 1..=4_096_u16), 1..=MAX_CUSTOM_GROUPS),
        cycle_ms in 1..=600_000_u32,
    ) {
        let text: Vec<String> = groups.iter().map(|(count, len)| format!("{count}x{len}")).collect();
        let text = format!("custom:{}@{cycle_ms}", text.join("+"));
        let device = CustomDevice::parse(&text).expect("well-formed");
        prop_assert_eq!(device.to_string(), text);
        let found: Vec<_> = device.groups().iter().map(|shape| (shape.count, shape.base_len)).collect();
        prop_assert_eq!(found, groups);
    }

    #[test]
    fn any_text_is_a_device_or_an_error(text in "(custom:)?[0-9x+@a-z-]{0,24}") {
        match PortDevice::parse(&text) {
            Ok(PortDevice::Custom(device)) => prop_assert!(device.profile().plug.count() > 0),
            Ok(device) => prop_assert!(device.profile().plug.count() > 0),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
