//! An application as a process: `application PATH REQUEST [PAUSE_MS]` writes what it has learned once a second, and at
//! the end, after `PAUSE_MS` for each packet: packets, events, missed, devices, a hash of them, whether it is current.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use sureplug_tests::application::Application;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().expect("PATH"));
    let request = arguments.next().expect("REQUEST");
    let pause = arguments.next().and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    let mut application = Application::connect(&path, &request).expect("a daemon listens");
    let mut events = 0;
    let mut said = Instant::now();
    loop {
        let delivered = match application.take() {
            None => break,
            Some(None) => {
                if said.elapsed() >= Duration::from_millis(200) {
                    said = Instant::now();
                    say(&application, events);
                }
                application.wait(Duration::from_millis(100));
                continue;
            }
            Some(Some(delivered)) => delivered,
        };
        events += u64::from(delivered.get("SUREPLUG_ORIGIN") == "kernel");
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
    }
    say(&application, events);
}

fn say(application: &Application, events: u64) {
    let mut hasher = DefaultHasher::new();
    application.fold.present.keys().for_each(|devpath| devpath.hash(&mut hasher));
    println!(
        "{{\"kind\":\"learned\",\"packets\":{},\"events\":{events},\"missed\":{},\"devices\":{},\"hash\":{},\"current\":{}}}",
        application.seq,
        application.missed,
        application.fold.present.len(),
        hasher.finish() >> 12,
        application.is_current
    );
}
