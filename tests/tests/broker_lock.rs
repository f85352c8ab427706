//! The lock beside the socket, whose file goes with its holder. A file of its own: a broker changes the process's umask for
//! a moment.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sureplug_board::service::broker::{Broker, BrokerError};

#[test]
fn a_lock_whose_file_was_removed_is_taken_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("made/events");
    // Several daemons in turn at a path whose lock and directory come and go: at no time do two of them have it.
    let ended = AtomicBool::new(false);
    let holders = AtomicUsize::new(0);
    let opened = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut opened = 0;
                    while !ended.load(Ordering::Relaxed) {
                        match Broker::open(&path, None) {
                            Ok(broker) => {
                                let others = holders.fetch_add(1, Ordering::SeqCst);
                                assert_eq!(others, 0, "two have the path");
                                assert!(path.exists());
                                holders.fetch_sub(1, Ordering::SeqCst);
                                drop(broker);
                                opened += 1;
                            }
                            Err(BrokerError::Taken(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    opened
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(2));
        ended.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u32>()
    });
    assert!(opened > 100, "opened {opened} times");
    let left: Vec<_> = fs::read_dir(&directory).expect("a directory").flatten().collect();
    assert!(left.is_empty() || fs::remove_dir(path.parent().expect("a directory")).is_ok(), "{left:?}");
}
