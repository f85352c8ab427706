//! A watcher leaves no descriptor and no thread behind. A program of its own, since it counts those of the process.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sureplug_board::Watcher;
use sureplug_tests::kernel::own_sysfs;

/// Returns the open descriptors and the threads of this process.
fn held() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"]
        .map(|directory| fs::read_dir(directory).expect("a directory").count())
}

#[test]
fn a_watcher_leaves_nothing_behind() {
    let Some(_turn) = own_sysfs("the descriptors of watchers") else { return };
    let open = || Watcher::builder().subsystem("net").open();
    let before = held();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let mut refusals = 0;
    for limit in 3.. {
        setrlimit(Resource::RLIMIT_NOFILE, limit, hard).expect("a lower limit");
        let opened = open();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the old limit");
        match opened {
            Ok(_) => break,
            Err(error) => assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}"),
        }
        refusals += 1;
        assert_eq!(held(), before, "after a refusal at {limit} descriptors");
    }
    assert!(refusals > 8, "{refusals}");
    for round in 0..1_000 {
        let mut watcher = open().expect("a watcher");
        if round % 10 == 0 {
            assert!(watcher.try_next().expect("a watcher").is_some());
        }
    }
    assert_eq!(held(), before);
}
