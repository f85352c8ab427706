//! Which USB ports count as the board's own, in stand-ins for `/sys`.

use std::path::Path;

use sureplug_board::sysfs::BoardPorts;
use sureplug_tests::usb_tree::{CONTROLLER, UsbTree};

fn ports(tree: &UsbTree) -> u32 {
    BoardPorts::count(tree.path()).ports
}

/// A controller with both sides: root hubs of `usb2` and `usb3` ports, the first of each peers.
fn both_sides(usb2: u32, usb3: u32) -> UsbTree {
    let tree = UsbTree::new().root_hub("usb1", usb2).root_hub("usb2", usb3);
    (1..=usb2.min(usb3)).fold(tree, |tree, n| tree.peers(&format!("usb1-port{n}"), &format!("usb2-port{n}")))
}

#[test]
fn without_usb_there_is_nothing() {
    assert_eq!(BoardPorts::count(UsbTree::without_usb().path()), BoardPorts::default());
    assert_eq!(BoardPorts::count(UsbTree::new().path()), BoardPorts::default());
    assert_eq!(BoardPorts::count(Path::new("/no/such/directory")), BoardPorts::default());
}

#[test]
fn the_ports_of_a_root_hub_count() {
    let board = BoardPorts::count(UsbTree::new().root_hub("usb1", 2).path());
    assert_eq!((board.ports, board.buses), (2, 1));
}

#[test]
fn ports_of_several_controllers_add_up() {
    let tree = UsbTree::new().root_hub("usb1", 1).root_hub("usb2", 2).root_hub("usb10", 3);
    let board = BoardPorts::count(tree.path());
    assert_eq!((board.ports, board.buses), (6, 3));
}

#[test]
fn both_sides_of_a_connector_count_once() {
    let tree = both_sides(4, 4);
    let board = BoardPorts::count(tree.path());
    assert_eq!((board.ports, board.buses), (4, 2));
}

#[test]
fn a_port_without_another_side_counts_by_itself() {
    assert_eq!(ports(&both_sides(4, 2)), 4);
    assert_eq!(ports(&both_sides(2, 4)), 4);
    assert_eq!(ports(&both_sides(1, 0)), 1);
}

#[test]
fn peers_need_not_have_the_same_number() {
    // As firmware describes connectors by their place: port 1 of USB 3 is on the connector of port 3.
    let tree = UsbTree::new().root_hub("usb1", 4).root_hub("usb2", 2);
    let tree = tree.peers("usb1-port3", "usb2-port1").peers("usb1-port4", "usb2-port2");
    assert_eq!(ports(&tree), 4);
}

#[test]
fn the_order_of_the_buses_does_not_matter() {
    let tree = UsbTree::new().root_hub("usb9", 2).root_hub("usb10", 2);
    assert_eq!(ports(&tree.peers("usb9-port1", "usb10-port1").peers("usb9-port2", "usb10-port2")), 2);
}

#[test]
fn a_hub_of_the_board_brings_its_ports_and_takes_the_one_that_feeds_it() {
    let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 4, "fixed");
    assert_eq!(ports(&tree), 1 + 4);
}

#[test]
fn a_hub_of_the_board_with_both_sides_counts_once() {
    let tree = both_sides(2, 2).hub("1-2", 4, "fixed").hub("2-2", 4, "fixed");
    let tree = (1..=4).fold(tree, |tree, n| tree.peers(&format!("1-2-port{n}"), &format!("2-2-port{n}")));
    assert_eq!(ports(&tree), 1 + 4);
}

#[test]
fn a_hub_of_the_board_with_one_side_takes_the_connector_that_feeds_it() {
    // The other side of the connector leads nowhere: no device can be plugged into it.
    for (name, ports_of_hub) in [("1-1", 4), ("2-1", 3)] {
        let tree = both_sides(2, 2).hub(name, ports_of_hub, "fixed");
        assert_eq!(ports(&tree), 1 + ports_of_hub, "{name}");
    }
}

#[test]
fn hubs_of_the_board_can_be_in_a_row() {
    let tree = UsbTree::new().root_hub("usb1", 1);
    let tree = tree.hub("1-1", 2, "fixed").hub("1-1.2", 4, "fixed").hub("1-1.2.4", 7, "fixed");
    assert_eq!(ports(&tree), 1 + 3 + 7);
}

#[test]
fn a_users_hub_does_not_count() {
    for removable in ["removable", "unknown"] {
        let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 4, removable);
        assert_eq!(ports(&tree), 2, "{removable}");
    }
}

#[test]
fn a_fixed_hub_within_a_users_hub_does_not_count() {
    // As in a monitor or a hub of 7 ports: for the hub around it, the inner one is built in.
    let tree = UsbTree::new().root_hub("usb1", 2);
    let tree = tree.hub("1-1", 4, "removable").hub("1-1.4", 4, "fixed").hub("1-1.4.1", 2, "fixed");
    assert_eq!(ports(&tree), 2);
}

#[test]
fn a_users_hub_in_a_hub_of_the_board_does_not_count() {
    let tree = UsbTree::new().root_hub("usb1", 1);
    let tree = tree.hub("1-1", 4, "fixed").hub("1-1.1", 4, "removable");
    assert_eq!(ports(&tree), 4);
}

#[test]
fn a_hub_in_a_port_that_the_firmware_calls_unused_is_a_users_although_it_shows_as_fixed() {
    let tree = || UsbTree::new().root_hub("usb1", 2).hub("1-1", 4, "fixed");
    assert_eq!(ports(&tree().connect_type("1-1", "not used")), 2);
    assert_eq!(ports(&tree().connect_type("1-1", "hardwired")), 1 + 4);
}

#[test]
fn a_number_of_ports_that_no_hub_can_have_is_none() {
    let tree = UsbTree::new().root_hub("usb1", 2).attribute("usb1", "maxchild", "4294967295");
    assert_eq!(ports(&tree), 0);
}

#[test]
fn a_port_with_a_device_counts_whatever_the_device_is() {
    let tree = UsbTree::new().root_hub("usb1", 3).device("1-1", "removable").device("1-2", "fixed");
    assert_eq!(ports(&tree), 3);
}

#[test]
fn a_hub_without_the_attribute_is_a_users() {
    let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 4, "fixed");
    assert_eq!(ports(&tree.without_attribute("1-1", "removable")), 2);
}

#[test]
fn a_hub_whose_number_of_ports_cannot_be_read_has_none() {
    for text in ["", "four", "-1", "4 ports", "99999999999"] {
        let tree = UsbTree::new().root_hub("usb1", 2).root_hub("usb2", 4).attribute("usb2", "maxchild", text);
        assert_eq!(ports(&tree), 2, "{text:?}");
    }
    let tree = UsbTree::new().root_hub("usb1", 2).root_hub("usb2", 4);
    assert_eq!(ports(&tree.without_attribute("usb2", "maxchild")), 2);
}

#[test]
fn the_longest_devpath_is_that_of_a_device_in_the_last_port() {
    let root = format!("/{CONTROLLER}/usb1/");
    let longest = |tree: &UsbTree| BoardPorts::count(tree.path()).longest_devpath as usize;
    assert_eq!(longest(&UsbTree::new().root_hub("usb1", 4)), root.len() + "1-4".len());
    assert_eq!(longest(&UsbTree::new().root_hub("usb1", 16)), root.len() + "1-16".len());

    let hub = |removable| UsbTree::new().root_hub("usb1", 4).hub("1-2", 4, removable);
    assert_eq!(longest(&hub("fixed")), root.len() + "1-2/1-2.4".len());
    assert_eq!(longest(&hub("removable")), root.len() + "1-4".len(), "a user's hub has no part in it");
}

/// Pairs of an EHCI controller and its companion, as systems on a chip have them.
fn pairs(count: u32, ports: u32) -> UsbTree {
    (0..count).fold(UsbTree::new(), |tree, pair| {
        let controller =
            |offset: u32| format!("devices/platform/soc/1c{:x}.usb", 0x1a000 + pair * 0x1000 + offset);
        let tree = tree.root_hub_of(&controller(0), &format!("usb{}", 2 * pair + 1), ports, "480");
        tree.root_hub_of(&controller(0x400), &format!("usb{}", 2 * pair + 2), ports, "12")
    })
}

#[test]
fn a_connector_with_a_companion_counts_once() {
    assert_eq!(ports(&pairs(4, 1)), 4);
    assert_eq!(ports(&pairs(2, 3)), 6);
}

#[test]
fn the_functions_of_a_pci_slot_are_companions() {
    // As in a chipset of 2006: eight ports of EHCI, which four UHCI controllers share; six and two of the next slot.
    let function = |slot: u32, function: u32| format!("devices/pci0000:00/0000:00:{slot:x}.{function}");
    let slots = [(0x1d_u32, 8, 4_u32), (0x1a, 6, 3)];
    let mut tree = UsbTree::new();
    let mut bus = 0;
    for (slot, fast, companions) in slots {
        bus += 1;
        tree = tree.root_hub_of(&function(slot, 7), &format!("usb{bus}"), fast, "480");
        for number in 0..companions {
            bus += 1;
            tree = tree.root_hub_of(&function(slot, number), &format!("usb{bus}"), 2, "12");
        }
    }
    assert_eq!(ports(&tree), 14);
    // One in a slot without EHCI has connectors of its own.
    let tree = tree.root_hub_of(&function(0x13, 0), "usb99", 2, "12");
    assert_eq!(ports(&tree), 16);
}

#[test]
fn a_companion_with_more_ports_keeps_the_rest() {
    let at = |name: &str| format!("devices/platform/{name}");
    let tree = UsbTree::new().root_hub_of(&at("a.ehci"), "usb1", 1, "480");
    assert_eq!(ports(&tree.root_hub_of(&at("b.ohci"), "usb2", 3, "12")), 3);
}

#[test]
fn unequal_pairs_count_the_larger_side_of_each() {
    // The buses are numbered by kind of controller, as their drivers start.
    let at = |address: &str| format!("devices/platform/soc/{address}.usb");
    let tree = UsbTree::new().root_hub_of(&at("1c1b000"), "usb1", 3, "480");
    let tree = tree.root_hub_of(&at("1c1a000"), "usb2", 1, "480");
    let tree = tree.root_hub_of(&at("1c1b400"), "usb3", 1, "12").root_hub_of(&at("1c1a400"), "usb4", 3, "12");
    assert_eq!(ports(&tree), 3 + 3);
}

/// An EHCI and an OHCI controller, each with a port.
const EHCI: &str = "devices/platform/soc/ee080100.usb";
const OHCI: &str = "devices/platform/soc/ee080000.usb";

fn ehci_and_ohci() -> UsbTree {
    UsbTree::new().root_hub_of(EHCI, "usb1", 1, "480").root_hub_of(OHCI, "usb2", 1, "12")
}

/// The value of a property.
fn cells(cells: &[u32]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.to_be_bytes()).collect()
}

#[test]
fn controllers_with_other_phys_are_no_companions() {
    let tree = |fast: &[u32], slow: &[u32]| {
        let tree = ehci_and_ohci().of_node(EHCI, &[("phys", &cells(fast))]);
        tree.of_node(OHCI, &[("phys", &cells(slow))])
    };
    assert_eq!(ports(&tree(&[0x89], &[0x8a])), 2);
    assert_eq!(ports(&tree(&[0x89, 1], &[0x89, 2])), 2, "another PHY of one provider");
    assert_eq!(ports(&tree(&[0x89], &[0x89])), 1);
    assert_eq!(ports(&tree(&[0x89, 1, 0x89, 2], &[0x89, 1])), 1, "the first of two");
    // If one of them states nothing, it may be either.
    assert_eq!(ports(&tree(&[0x89], &[])), 1);
}

#[test]
fn companions_with_one_phy_need_not_be_beside_each_other() {
    let (ehci, ohci) = ("devices/platform/ahb/a.usb", "devices/platform/apb/b.usb");
    let tree = || UsbTree::new().root_hub_of(ehci, "usb1", 2, "480").root_hub_of(ohci, "usb2", 2, "12");
    assert_eq!(ports(&tree()), 4);
    let phys = cells(&[0xffff_fff1]);
    assert_eq!(ports(&tree().of_node(ehci, &[("phys", &phys)]).of_node(ohci, &[("phys", &phys)])), 2);
}

#[test]
fn the_companion_that_the_device_tree_names_is_the_one() {
    let other = "devices/platform/soc/ee0a0000.usb";
    for (property, named, expected) in
        [("companion", 0x91, 2), ("companions", 0x91, 2), ("companion", 0x92, 2), ("companion", 0x93, 3)]
    {
        // The PHYs are a provider's, whose second cell is the kind of the controller.
        let properties: [(&str, &[u8]); 2] = [(property, &cells(&[named])), ("phys", &cells(&[0x89, 2]))];
        let tree = ehci_and_ohci().of_node(EHCI, &properties);
        let tree = tree.of_node(OHCI, &[("phandle", &cells(&[0x91])), ("phys", &cells(&[0x89, 1]))]);
        let tree = tree.root_hub_of(other, "usb3", 1, "12").of_node(other, &[("phandle", &cells(&[0x92]))]);
        assert_eq!(ports(&tree), expected, "{property} {named:#x}");
    }
}

#[test]
fn without_a_device_tree_pairs_are_only_where_each_has_its_companion() {
    // One of three belongs to none, and which that is shows nowhere.
    let other = "devices/platform/soc/ee0a0100.usb";
    assert_eq!(ports(&ehci_and_ohci().root_hub_of(other, "usb3", 1, "480")), 3);
    assert_eq!(ports(&ehci_and_ohci().root_hub_of(other, "usb3", 1, "12")), 3);
    let at = |name: &str| format!("devices/ssb0:0/{name}");
    let tree = UsbTree::new().root_hub_of(&at("ehci-platform.0"), "usb1", 2, "480");
    assert_eq!(ports(&tree.root_hub_of(&at("ohci-platform.0"), "usb2", 2, "12")), 2);
}

#[test]
fn a_hub_of_the_board_on_one_side_takes_the_connector_of_both_companions() {
    let beside = "devices/pci0000:00/0000:00:14.1";
    for (speed, other) in [("12", "480"), ("480", "12")] {
        let tree =
            UsbTree::new().root_hub("usb1", 1).attribute("usb1", "speed", speed).hub("1-1", 4, "fixed");
        assert_eq!(ports(&tree.root_hub_of(beside, "usb2", 1, other)), 4, "{speed}");
    }
}

#[test]
fn companions_have_a_hardwired_connector_once() {
    let tree = ["usb1", "usb2"].into_iter().zip([EHCI, OHCI]).fold(ehci_and_ohci(), |tree, (hub, at)| {
        let port = format!("{at}/{hub}/{}-0:1.0/{hub}-port1", &hub[3..]);
        tree.set(&port, "connect_type", "hardwired")
    });
    let board = BoardPorts::count(tree.path());
    assert_eq!((board.ports, board.hardwired), (0, 1));
}

#[test]
fn a_slow_controller_beside_another_fast_one_has_connectors_of_its_own() {
    let fast = "devices/platform/soc/200000.usb";
    let slow = "devices/platform/soc/225000.usb";
    let tree = || UsbTree::new().root_hub_of(fast, "usb1", 1, "480").root_hub_of(slow, "usb2", 1, "12");
    let named = |product: &str| tree().set(&format!("{fast}/usb1"), "product", product);
    assert_eq!(ports(&named("MUSB HDRC host driver")), 2);
    assert_eq!(ports(&named("EHCI Host Controller")), 1);
    assert_eq!(ports(&tree().set(&format!("{slow}/usb2"), "product", "OHCI PCI host controller")), 1);
    assert_eq!(ports(&tree().set(&format!("{slow}/usb2"), "product", "DWC OTG Controller")), 2);
}

#[test]
fn ports_that_are_not_used_or_hardwired_are_no_connectors() {
    let tree = UsbTree::new().root_hub("usb1", 4).device("1-3", "fixed").device("1-4", "removable");
    let port = |number: u32| format!("{CONTROLLER}/usb1/1-0:1.0/usb1-port{number}");
    let tree = tree.set(&port(1), "connect_type", "not used").set(&port(2), "connect_type", "hotplug");
    let tree = tree.set(&port(3), "connect_type", "hardwired").set(&port(4), "connect_type", "unknown");
    let board = BoardPorts::count(tree.path());
    assert_eq!((board.ports, board.hardwired), (2, 1));
    // A port with a device is in use, even if the firmware disagrees.
    let board = BoardPorts::count(tree.set(&port(4), "connect_type", "not used").path());
    assert_eq!((board.ports, board.hardwired), (2, 1));
}

#[test]
fn a_hardwired_connector_has_two_sides() {
    let tree = both_sides(2, 2);
    let port = |bus: u32| format!("{CONTROLLER}/usb{bus}/{bus}-0:1.0/usb{bus}-port1");
    let tree = tree.set(&port(1), "connect_type", "hardwired").set(&port(2), "connect_type", "hardwired");
    let board = BoardPorts::count(tree.path());
    assert_eq!((board.ports, board.hardwired), (1, 1));
}
