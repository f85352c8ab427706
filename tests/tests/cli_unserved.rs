//! What a user without root reads about the socket that applications cannot have.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::unistd::Uid;
use sureplug_tests::daemon::{Daemon, root, unprivileged};
use sureplug_tests::kernel::namespace::own_mounts;
use sureplug_tests::privilege::not_run;

const SENTENCE: &str = "cannot create the directory /run/sureplug: Permission denied (os error 13); run sureplug as root, or \
                        choose a path in a writable directory with --socket";

#[test]
fn a_missing_socket_is_one_clear_sentence_that_the_manual_lists() {
    if Uid::effective().is_root() {
        // The machine's own may have the directory.
        own_mounts().expect("mounts of its own");
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .expect("a /run of its own");
    } else if Path::new("/run/sureplug").exists() {
        return not_run("the notice of a missing socket", "/run/sureplug is there, and hiding it needs root");
    }
    for arguments in ["", "--json"] {
        let daemon = Daemon::start(unprivileged(arguments));
        daemon.wait_until_scanned();
        let output = daemon.finish();
        let found: Vec<_> = output.stdout.iter().filter(|line| line.contains(SENTENCE)).collect();
        assert_eq!(found.len(), 1, "{output:#?}");
        if arguments.is_empty() {
            assert_eq!(*found[0], format!("sureplug: warning: no socket for applications: {SENTENCE}"));
        }
    }
    let manual = std::fs::read_to_string(root().join("board/MANUAL.md")).expect("the manual");
    assert!(manual.contains("| `warning: no socket for applications: "), "the manual lists it");
}
