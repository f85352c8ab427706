//! Budgets, and the buffers that follow from them.

use proptest::prelude::*;
use sureplug_core::rcvbuf::{
    Budget, CustomDevice, DEFAULT_DEVPATH_MAX_BYTES, DeviceClass, Effective, LengthBasis, MAX_BUDGET_BYTES,
    Others, PlugProfile, RcvBuf, Requested, Requirements, SizingError, SkbAbi, UsbTopology,
};
use sureplug_tests::vectors::KERNELS;

const FOUR_PORTS: Requirements<'static> = Requirements {
    topology: UsbTopology { buses: 2, ports: 4 },
    profile: DeviceClass::Storage.profile(),
    max_stall_ms: 2_000,
    devpath_max: DEFAULT_DEVPATH_MAX_BYTES,
    abi: SkbAbi::BOUND_64,
    others: Others::Filtered,
};

#[test]
fn a_budget_is_the_sum_of_its_parts() {
    for class in DeviceClass::ALL {
        for abi in [SkbAbi::BOUND_64, SkbAbi::BOUND_32] {
            for others in [Others::Filtered, Others::Virtual, Others::Unfiltered] {
                let profile = class.profile();
                let budget =
                    Budget::new(&Requirements { profile, abi, others, ..FOUR_PORTS }).expect("possible");
                let at = LengthBasis::budget(96);
                assert_eq!(u64::from(budget.plug_bytes), profile.plug.own_charge(at, abi));
                assert_eq!(u64::from(budget.unplug_bytes), profile.unplug.own_charge(at, abi));
                let of_virtual = u32::try_from(profile.virtual_charge(at, abi)).expect("a small charge");
                let all = profile.plug.charge(at, abi) + profile.unplug.charge(at, abi);
                assert_eq!(u64::from(budget.per_port_bytes + of_virtual), all);
                let others_bytes = match others {
                    Others::Filtered => 0,
                    Others::Virtual => 4 * of_virtual * budget.cycles,
                    Others::Unfiltered => 4 * of_virtual * budget.cycles + Others::Unfiltered.bytes(abi),
                };
                assert_eq!(budget.per_port_bytes, budget.plug_bytes + budget.unplug_bytes);
                assert_eq!(budget.cycles, 1 + 2_000 / profile.shortest_cycle_ms);
                assert_eq!(budget.ports_bytes, 4 * budget.per_port_bytes * budget.cycles);
                assert_eq!(budget.others_bytes, others_bytes);
                assert_eq!(budget.total_bytes, budget.ports_bytes + others_bytes);
            }
        }
    }
}

#[test]
fn a_tree_of_hubs_in_a_port_counts_each_device() {
    let at_one_port = |class: DeviceClass, copies| {
        let topology = UsbTopology { buses: 1, ports: 1 };
        let profile = PlugProfile { copies, ..class.profile() };
        Budget::new(&Requirements { topology, profile, max_stall_ms: 1_000, ..FOUR_PORTS })
    };
    // Three tiers of hubs with 21 devices were charged with that on one port.
    let tree = at_one_port(DeviceClass::Storage, 21).expect("possible");
    assert!(tree.total_bytes >= 589_824, "{tree:?}");
    assert!(tree.total_bytes >= 21 * at_one_port(DeviceClass::Storage, 1).expect("possible").total_bytes);
    // What hubs of eight devices raised is within nine such devices.
    for kernel in &KERNELS {
        for scenario in ["hub8_storage", "hub8_mixed"] {
            let rows = kernel.charges();
            let phases = ["plug", "unplug"].map(|phase| format!("{scenario}_{phase}"));
            let measured: u32 =
                rows.iter().filter(|row| phases.contains(&row.scenario)).map(|row| row.truesize).sum();
            let budget = at_one_port(DeviceClass::Storage, 9).expect("possible");
            assert!(measured > 0 && budget.per_port_bytes >= measured, "{}/{scenario}", kernel.folder);
        }
    }

    let error = |copies| at_one_port(DeviceClass::Hub8, copies).expect_err("too many");
    assert_eq!(error(15), SizingError::TooManyDevices { ports: 1, per_port: 135, limit: 127 });
    assert!(error(15).to_string().ends_with("declare fewer devices in each"));
    assert!(matches!(error(u32::MAX), SizingError::TooManyDevices { .. }));
    assert_eq!(error(0), SizingError::EmptyProfile);
}

#[test]
fn the_share_of_other_subsystems_has_room_for_a_coldplug_on_any_kernel() {
    // All of /sys was measured with 6.1; the datagrams of its devices show how much more other
    // kernels charge.
    for (folder, bound, measured) in
        [("6.1-arm64", SkbAbi::BOUND_64, 559_616), ("6.1-armhf", SkbAbi::BOUND_32, 463_488_u64)]
    {
        let kernel = KERNELS.iter().find(|kernel| kernel.folder == folder).expect("a kernel");
        let datagrams = kernel.datagrams("coldplug_devices").expect("a capture");
        let charge = |abi: SkbAbi| -> u64 {
            datagrams.iter().map(|d| u64::from(abi.truesize(u32::try_from(d.len()).expect("a length")))).sum()
        };
        let share = u64::from(Others::Unfiltered.bytes(bound));
        assert!(share * charge(kernel.abi) >= measured * charge(bound), "{folder}: {share} is too little");
        assert!(share < measured * 6 / 5, "{folder}: {share} is too much");
    }
}

#[test]
fn a_cycle_begins_with_the_stall() {
    let cycles = |max_stall_ms| Budget::new(&Requirements { max_stall_ms, ..FOUR_PORTS }).map(|b| b.cycles);
    assert_eq!([cycles(1), cycles(1_199), cycles(1_200), cycles(2_400)], [Ok(1), Ok(1), Ok(2), Ok(3)]);
}

/// Each port's device in and out once, on the board that was captured.
#[test]
fn a_budget_holds_what_was_captured() {
    let mut captures = 0;
    for kernel in KERNELS {
        let queued = |scenario: &str| Some(kernel.header(scenario)?.sockets[0].queued);
        for (class, scenario) in
            [(DeviceClass::Storage, "storage_ss_mbr4"), (DeviceClass::Hub8, "hub8_storage")]
        {
            let (Some(plug), Some(unplug)) =
                (queued(&format!("{scenario}_plug")), queued(&format!("{scenario}_unplug")))
            else {
                continue;
            };
            let wanted = Requirements {
                topology: UsbTopology { buses: 1, ports: 1 },
                profile: class.profile(),
                max_stall_ms: 1,
                devpath_max: 66,
                abi: kernel.abi,
                // The listener of the captures had no filter.
                others: Others::Virtual,
            };
            let budget = Budget::new(&wanted).expect("possible");
            assert!(budget.total_bytes >= plug + unplug, "{}", kernel.folder);
            captures += 1;
        }
    }
    assert_eq!(captures, 5 + 2);
}

#[test]
fn impossible_topologies_are_errors() {
    let sized = |buses, ports| {
        Budget::new(&Requirements { topology: UsbTopology { buses, ports }, ..FOUR_PORTS }).map(|_| ())
    };
    assert_eq!(sized(0, 4), Err(SizingError::NoBuses));
    assert_eq!(sized(1, 0), Err(SizingError::NoPorts));
    assert!(sized(1, 127).is_ok() && sized(2, 254).is_ok());
    let too_many = SizingError::TooManyDevices { ports: 128, per_port: 1, limit: 127 };
    assert_eq!(sized(1, 128), Err(too_many));

    let hubs = |ports| {
        let topology = UsbTopology { buses: 1, ports };
        Budget::new(&Requirements { topology, profile: DeviceClass::Hub8.profile(), ..FOUR_PORTS })
    };
    assert!(hubs(14).is_ok());
    assert_eq!(hubs(15), Err(SizingError::TooManyDevices { ports: 15, per_port: 9, limit: 127 }));
}

#[test]
fn impossible_requirements_are_errors() {
    for max_stall_ms in [0, 600_001] {
        let error = SizingError::OutOfRange { found: max_stall_ms, min: 1, max: 600_000 };
        assert_eq!(Budget::new(&Requirements { max_stall_ms, ..FOUR_PORTS }), Err(error));
    }
    for devpath_max in [0, 15, 1_001, u32::MAX] {
        let error = SizingError::OutOfRange { found: devpath_max, min: 16, max: 1_000 };
        assert_eq!(Budget::new(&Requirements { devpath_max, ..FOUR_PORTS }), Err(error));
    }
}

#[test]
fn beyond_what_a_socket_can_have() {
    assert_eq!(MAX_BUDGET_BYTES, 1_073_741_823);
    let profile = DeviceClass::Keyboard.profile();
    let topology = UsbTopology { buses: 1, ports: 127 };
    let wanted = Requirements { topology, profile, max_stall_ms: 600_000, ..FOUR_PORTS };
    let at = LengthBasis::budget(96);
    let per_port = profile.plug.charge(at, wanted.abi) + profile.unplug.charge(at, wanted.abi);
    let bytes = 127 * per_port * (1 + 600_000 / 400);
    assert!(bytes > u64::from(MAX_BUDGET_BYTES));
    assert_eq!(Budget::new(&wanted), Err(SizingError::BudgetTooLarge { bytes }));

    // The most that any text can ask for saturates instead of overflowing.
    let text = format!("custom:{}@1", vec!["65535x4096"; 32].join("+"));
    let custom = CustomDevice::parse(&text).expect("well-formed");
    let topology = UsbTopology { buses: u32::MAX, ports: u32::MAX };
    let worst = Requirements { topology, profile: custom.profile(), devpath_max: 1_000, ..wanted };
    assert!(matches!(Budget::new(&worst), Err(SizingError::BudgetTooLarge { bytes }) if bytes > 1 << 60));

    let budget = Budget::new(&FOUR_PORTS).expect("possible");
    assert!(matches!(RcvBuf::new(&budget, MAX_BUDGET_BYTES), Err(SizingError::BudgetTooLarge { .. })));
    assert!(matches!(RcvBuf::new(&budget, u32::MAX), Err(SizingError::BudgetTooLarge { .. })));
}

#[test]
fn a_buffer_is_the_largest_of_three() {
    let size = |wanted: &Requirements<'_>, rmem_default| {
        RcvBuf::new(&Budget::new(wanted).expect("possible"), rmem_default).expect("possible")
    };
    let rounded = |bytes: u32| Effective(bytes.div_ceil(4_096) * 4_096);

    // One mouse: the hub with 8 sticks is more.
    let one = UsbTopology { buses: 1, ports: 1 };
    let mouse = Requirements { topology: one, profile: DeviceClass::Mouse.profile(), ..FOUR_PORTS };
    let profile = DeviceClass::Hub8.profile();
    let hub8 = Requirements { topology: one, profile, others: Others::Virtual, ..FOUR_PORTS };
    let hub8 = Budget::new(&hub8).expect("possible");
    assert_eq!(hub8.cycles, 1);
    assert_eq!(size(&mouse, 212_992).effective(), rounded(hub8.total_bytes));
    // It is charged with what this board's devpaths cost.
    let longer = Requirements { devpath_max: 400, ..mouse };
    assert!(size(&longer, 212_992).effective() > size(&mouse, 212_992).effective());

    let budget = Budget::new(&Requirements { max_stall_ms: 20_000, ..FOUR_PORTS }).expect("possible");
    let buffer = RcvBuf::new(&budget, 212_992).expect("possible");
    assert_eq!(buffer.effective(), rounded(budget.total_bytes));
    assert_eq!(buffer.requested(), Requested(buffer.effective().0 / 2));
    assert_eq!(size(&mouse, 8_000_001).effective(), Effective(8_003_584));
}

#[test]
fn forced_request_is_met_exactly() {
    let budget = Budget::new(&FOUR_PORTS).expect("possible");
    let buffer = RcvBuf::new(&budget, 212_992).expect("possible");
    assert!(buffer.is_met_by(buffer.requested().granted(None, SkbAbi::ARM64_6_1)));
    assert!(!buffer.is_met_by(buffer.requested().granted(Some(212_992 / 2), SkbAbi::ARM64_6_1)));
}

/// The captured sockets show what was requested and what the kernel granted.
#[test]
fn the_kernel_grants_what_the_captured_sockets_read_back() {
    for (kernel, floor) in KERNELS.iter().zip([2_304, 2_240, 2_304, 2_240, 2_304]) {
        assert_eq!(kernel.abi.rcvbuf_floor(), floor, "{}", kernel.folder);
        let header = kernel.header("kbd_plug").expect("captured on every kernel");
        let read_back: Vec<u32> = header.sockets.iter().map(|socket| socket.rcvbuf).collect();
        let rmem_max = header.sockets[1].rcvbuf;
        let granted = |asked, max| Requested(asked).granted(max, kernel.abi).0;
        let modelled =
            [1_024, 4_096, 8_192, 16_384, 32_768, 65_536].map(|asked| granted(asked, Some(rmem_max)));
        assert_eq!(read_back[0], granted(16_777_216, None), "{}", kernel.folder);
        assert_eq!(read_back[2..], modelled, "{}", kernel.folder);
    }
    let abi = SkbAbi::ARM64_6_1;
    assert_eq!(Requested(500_000).granted(Some(212_992), abi), Effective(425_984));
    assert_eq!(Requested(u32::MAX).granted(None, abi), Effective(2_147_483_646));
    assert_eq!(Requested(0).granted(None, abi), Effective(2_304));
}

proptest! {
    #[test]
    fn a_budget_never_shrinks_with_what_it_must_hold(
        class in prop::sample::select(DeviceClass::ALL),
        ports in 1..=14_u32, more_ports in 0..=14_u32,
        max_stall_ms in 1..=60_000_u32, longer in 0..=60_000_u32,
        devpath_max in 16..=500_u32, deeper in 0..=500_u32,
    ) {
        let total = |ports, max_stall_ms, devpath_max| {
            let topology = UsbTopology { buses: 2, ports };
            let profile = class.profile();
            Budget::new(&Requirements { topology, profile, max_stall_ms, devpath_max, ..FOUR_PORTS })
        };
        let base = total(ports, max_stall_ms, devpath_max).map(|budget| budget.total_bytes);
        for more in [
            total(ports + more_ports, max_stall_ms, devpath_max),
            total(ports, max_stall_ms + longer, devpath_max),
            total(ports, max_stall_ms, devpath_max + deeper),
        ] {
            let base = base.expect("possible");
            prop_assert!(more.expect("possible").total_bytes >= base);
        }
    }

    #[test]
    fn a_buffer_holds_its_budget_and_doubles_exactly(
        class in prop::sample::select(DeviceClass::ALL),
        ports in 1..=14_u32, max_stall_ms in 1..=10_000_u32, rmem_default in 0..=16_777_216_u32,
    ) {
        let topology = UsbTopology { buses: 1, ports };
        let budget = Budget::new(&Requirements { topology, profile: class.profile(), max_stall_ms, ..FOUR_PORTS });
        let budget = budget.expect("possible");
        let buffer = RcvBuf::new(&budget, rmem_default).expect("possible");
        prop_assert!(buffer.effective().0 >= budget.total_bytes.max(rmem_default).max(budget.hub8_bytes));
        prop_assert_eq!(buffer.effective().0 % 4_096, 0);
        prop_assert_eq!(buffer.requested().0 * 2, buffer.effective().0);
        prop_assert_eq!(buffer.requested().granted(None, SkbAbi::BOUND_64), buffer.effective());
    }
}
