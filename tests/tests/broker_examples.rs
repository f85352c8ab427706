//! The clients of `board/examples`: each sees what the others see.

use std::path::{Path, PathBuf};
use std::process::Command;

use sureplug_tests::daemon::{Daemon, build_example, root};
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::own_sysfs;
use sureplug_tests::served::{LARGE, Served};

fn example(name: &str) -> PathBuf {
    root().join("board/examples").join(name)
}

fn in_c(directory: &Path) -> Command {
    let program = directory.join("events");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(example("events.c"));
    assert!(compiler.status().expect("a C compiler").success());
    Command::new(program)
}

fn in_python() -> Command {
    let mut command = Command::new("python3");
    command.arg(example("events.py"));
    command
}

#[test]
fn examples_are_complete_and_short() {
    for (name, most) in [("events.c", 20), ("events.py", 20)] {
        let text = std::fs::read_to_string(example(name)).expect("an example");
        assert!(text.lines().count() < most, "{name}");
    }
}

#[test]
fn each_example_shows_a_device_come_and_go() {
    let Some(_turn) = own_sysfs("the examples") else { return };
    let served = Served::start(LARGE);
    let directory = tempfile::tempdir().expect("a directory");
    let with = |mut command: Command, arguments: &[&str]| {
        command.arg(served.path()).args(arguments);
        Daemon::start(command)
    };
    let clients = [
        with(in_c(directory.path()), &["SUBSYSTEM=net"]),
        with(in_python(), &["SUBSYSTEM=net"]),
        with(Command::new(build_example("events")), &["net"]),
    ];
    for client in &clients {
        client.wait_for_line(|line| line.contains("add") && line.contains("/devices/virtual/net/lo"));
        client.wait_for_line(|line| line.starts_with("end"));
    }
    NetDevice::tap("example0").expect("a tap").destroy().expect("it goes");
    for client in &clients {
        for action in ["add", "remove"] {
            client.wait_for_line(|line| {
                line.contains(action) && line.contains("/devices/virtual/net/example0")
            });
        }
    }
    served.finish().assert_fine();
    // They end with the daemon, well.
    for client in clients {
        assert_eq!(client.wait().code, Some(0));
    }
}
