//! The audit that `sureplug audit` shows: what is read, and what cannot be.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sureplug_board::diag::audit::{Audit, Limits};
use sureplug_tests::kernel::{Listener, own_network_namespace};

const LIMITS: Limits = Limits { floor: 2_304, default: 212_992, wanted: 413_696 };

#[test]
fn a_stand_in_of_proc_is_read_as_the_kernels() {
    let proc = tempfile::tempdir().expect("a directory");
    let at = |path: &str| proc.path().join(path);
    for directory in ["net", "7/fd", "8/fd", "9", "sys"] {
        fs::create_dir_all(at(directory)).expect("a directory");
    }
    let table = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n\
                 0000000000000000 15  0          00000000 0        0        0     2        0        5\n\
                 0000000000000000 15  7          00000001 1280     0        0     2        31       77\n\
                 0000000000000000 0   7          00000001 0        0        0     2        0        78\n\
                 0000000000000000 15  8          00000002 0        0        0     2        0        79\n";
    fs::write(at("net/netlink"), table).expect("a table");
    fs::write(at("7/comm"), "hotplugd\n").expect("a name");
    fs::write(at("7/cgroup"), "0::/system.slice/hotplug.service\n").expect("a cgroup");
    for (link, target) in [("7/fd/3", "socket:[77]"), ("8/fd/5", "socket:[77]"), ("8/fd/6", "/dev/null")] {
        std::os::unix::fs::symlink(target, at(link)).expect("a descriptor");
    }
    let refusal = Errno::ENOENT;
    let audit = Audit::take(proc.path(), Some(refusal), LIMITS).expect("an audit");
    let seen: Vec<_> =
        audit.sockets.iter().map(|it| (it.socket.inode, it.socket.drops, it.to_string())).collect();
    assert_eq!(
        seen,
        [
            (77, 31, "size unknown; lost 31 so far".to_owned()),
            (79, 0, "size unknown".to_owned()),
            (5, 0, "the kernel's own".to_owned())
        ]
    );
    let owners = audit.owners.of(&audit.sockets[0].socket);
    assert_eq!(owners.iter().map(|owner| (owner.pid, owner.fd)).collect::<Vec<_>>(), [(7, 3), (8, 5)]);
    let owner = &owners[0];
    assert_eq!((&owner.command[..], &owner.unit[..]), (&b"hotplugd"[..], &b"hotplug.service"[..]));
    assert_eq!(owners[1].command, b"", "it has no name any more");
    assert_eq!((audit.findings(), audit.ownerless()), (1, 1));
    let nowhere = Audit::take(Path::new("/nonexistent"), Some(refusal), LIMITS).expect_err("no proc");
    assert!(nowhere.to_string().contains("net/netlink"), "{nowhere}");
}

#[test]
fn audit_tolerates_processes_that_end_meanwhile() {
    let Some(_turn) = own_network_namespace("an audit while processes end") else { return };
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Relaxed) {
                // Each has the socket for as long as it lives, and this process does not.
                let socket = Listener::with_rcvbuf(1024, 1);
                fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty())).expect("a descriptor to inherit");
                let mut child = Command::new("sleep").arg("0.001").spawn().expect("a child");
                drop(socket);
                child.wait().expect("it ends");
            }
        });
        for _ in 0..100 {
            let audit = Audit::take(Path::new("/proc"), None, LIMITS).expect("an audit");
            assert!(!audit.sockets.is_empty() && audit.owners.unreadable == 0);
        }
        end.store(true, Relaxed);
    });
    let audit = Audit::take(Path::new("/proc"), None, LIMITS).expect("an audit");
    assert_eq!((audit.sockets.len(), audit.ownerless()), (1, 0), "only the kernel's is left: {audit:?}");
}
