//! The patterns of the status LED, on a mock pin and on a directory that stands in for sysfs.

use std::fs;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use embedded_hal::digital::{OutputPin, PinState};
use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use sureplug_board::service::led::indicator::{Condition, Indicator};
use sureplug_board::service::led::{LedError, SysfsLed};
use sureplug_core::time;
use sureplug_tests::daemon::{Daemon, json, run, sureplug};
use sureplug_tests::kernel::{Injector, mark, own_sysfs, raise};
use tempfile::TempDir;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn since_boot(passed: u64) -> time::Instant {
    time::Instant::BOOT.after(ms(passed))
}

/// A mock that expects these levels, and what is shown on it.
fn shows(levels: &[State], show: impl FnOnce(&mut Indicator<Mock>)) {
    let expected: Vec<_> = levels.iter().map(|level| Transaction::set(*level)).collect();
    let mut mock = Mock::new(&expected);
    let mut indicator = Indicator::new(mock.clone());
    show(&mut indicator);
    drop(indicator);
    mock.done();
}

#[test]
fn steady_is_on_and_needs_no_deadline() {
    shows(&[State::High], |indicator| {
        for at in [7_000, 7_001, 100_000] {
            indicator.show(Condition::Steady, since_boot(at)).unwrap();
            assert_eq!(indicator.wake_at(), None);
        }
    });
}

#[test]
fn a_repair_blinks_five_times_a_second_for_a_second_at_least() {
    use State::{High, Low};
    shows(&[High, Low, High, Low, High, Low, High, Low, High, Low, High], |indicator| {
        indicator.show(Condition::Resyncing, since_boot(1_000)).unwrap();
        // It took no time at all.
        let mut now = 1_000;
        while let Some(at) = indicator.wake_at() {
            assert_eq!(at, since_boot(now + 100));
            now += 100;
            indicator.show(Condition::Steady, since_boot(now)).unwrap();
        }
        assert_eq!(now, 2_000);
    });
}

#[test]
fn a_loss_blinks_once_a_second_until_it_is_acknowledged() {
    use State::{High, Low};
    shows(&[High, Low, High, Low, High], |indicator| {
        for at in [0, 100, 500, 501, 1_000, 1_400, 1_500] {
            indicator.show(Condition::Lossy, since_boot(at)).unwrap();
        }
        assert_eq!(indicator.wake_at(), Some(since_boot(2_000)));
        indicator.show(Condition::Steady, since_boot(1_700)).unwrap();
        assert_eq!(indicator.wake_at(), None);
    });
}

#[test]
fn a_late_caller_loses_no_step_and_the_end_is_dark() {
    use State::{High, Low};
    let mut mock = Mock::new(&[
        Transaction::set(High),
        Transaction::set(Low),
        Transaction::set(High),
        Transaction::set(Low),
    ]);
    let mut indicator = Indicator::new(mock.clone());
    for at in [0, 5_000, 5_400, 5_500] {
        indicator.show(Condition::Lossy, since_boot(at)).unwrap();
    }
    indicator.end().unwrap();
    mock.done();
}

#[test]
fn a_pin_that_fails_is_an_error_and_the_pattern_goes_on() {
    let fault = MockError::Io(IoErrorKind::NotConnected);
    let expected = [Transaction::set(State::High).with_error(fault.clone()), Transaction::set(State::Low)];
    let mut mock = Mock::new(&expected);
    let mut indicator = Indicator::new(mock.clone());
    assert_eq!(indicator.show(Condition::Lossy, since_boot(0)), Err(fault));
    assert_eq!(indicator.show(Condition::Lossy, since_boot(10)), Ok(()));
    assert_eq!(indicator.show(Condition::Lossy, since_boot(500)), Ok(()));
    drop(indicator);
    mock.done();
}

/// An LED in a directory.
fn led(sysfs: &Path, name: &str) -> std::path::PathBuf {
    let directory = sysfs.join("class/leds").join(name);
    fs::create_dir_all(&directory).expect("a directory");
    for (file, text) in [("brightness", "0"), ("max_brightness", "255\n"), ("trigger", "[heartbeat] none")] {
        fs::write(directory.join(file), text).expect("a file");
    }
    directory
}

#[test]
fn an_led_of_sysfs_gives_up_its_trigger_and_gets_its_full_brightness() {
    let sysfs = tempfile::tempdir().expect("a directory");
    let directory = led(sysfs.path(), "status");
    let read = |file: &str| fs::read_to_string(directory.join(file)).expect("a file");
    let mut status = SysfsLed::open(&directory).expect("an LED");
    assert_eq!(read("trigger"), "none");
    status.set_state(PinState::High).expect("it is switched");
    assert_eq!(read("brightness"), "255");
    status.set_state(PinState::Low).expect("it is switched");
    // A file is not cut short, as one of sysfs would not be.
    assert!(read("brightness").starts_with('0'));
    fs::remove_file(directory.join("trigger")).expect("a file");
    assert!(SysfsLed::open(&directory).is_ok(), "a kernel without triggers");
    assert!(SysfsLed::open(&directory.join("none")).is_err());
    // An error is reported with its reason.
    let full = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink("/dev/full", full.path().join("brightness")).expect("a link");
    let mut broken = SysfsLed::open(full.path()).expect("an LED");
    assert_eq!(broken.set_high(), Err(LedError(Errno::ENOSPC)));
    // And one that comes in its place is taken.
    fs::remove_file(full.path().join("brightness")).expect("a link");
    assert_eq!(broken.set_high(), Err(LedError(Errno::ENOENT)));
    fs::write(full.path().join("brightness"), "0").expect("a file");
    fs::write(full.path().join("trigger"), "default-on").expect("a file");
    broken.set_high().expect("it is switched");
    let read = |file: &str| fs::read_to_string(full.path().join(file)).expect("a file");
    assert_eq!((read("brightness").as_str(), read("trigger").as_str()), ("1", "none"));
}

/// A sysfs with an LED, and a daemon that overruns at the first storm.
fn blinking(sysfs: &TempDir, name: &str) -> Daemon {
    fs::create_dir_all(sysfs.path().join("class/net")).expect("a class");
    let mut command = Command::new(env!("CARGO_BIN_EXE_small_buffer"));
    command.args(["1024", "--led", name, "--sysfs"]).arg(sysfs.path());
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    daemon
}

/// Raises events until some are lost and this is reported.
fn overrun(daemon: &Daemon) {
    let mark = mark();
    // Reports of an earlier storm come before this event.
    raise("change", &mark, "");
    let (from, _) = daemon.wait_for_line_from(0, |line| line.contains(&mark));
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                raise("change", &mark, "");
            }
        });
        daemon.wait_for_line_from(from, |line| json(line)["kind"] == "overrun");
        end.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_daemon_shows_a_loss_until_it_is_acknowledged() {
    let Some(_turn) = own_sysfs("the status LED") else { return };
    let sysfs = tempfile::tempdir().expect("a directory");
    let directory = led(sysfs.path(), "status");
    let mut daemon = blinking(&sysfs, "status");
    let is_on = || fs::read_to_string(directory.join("brightness")).expect("a file").starts_with("255");
    // How often it changes in a while.
    let changes = |for_ms: u64| {
        let end = Instant::now() + ms(for_ms);
        let (mut changes, mut before) = (0, is_on());
        while Instant::now() < end {
            let now = is_on();
            changes += usize::from(now != before);
            before = now;
            thread::sleep(ms(5));
        }
        changes
    };
    daemon.wait_until("it is on", |_| is_on());
    assert_eq!(changes(1_000), 0, "steady");
    overrun(&daemon);
    thread::sleep(ms(2_000));
    let lossy = changes(3_000);
    assert!((4..=8).contains(&lossy), "once a second: {lossy} changes in 3 s");
    daemon.signal(Signal::SIGUSR1);
    thread::sleep(ms(100));
    assert_eq!((changes(1_500), is_on()), (0, true), "acknowledged");
    overrun(&daemon);
    thread::sleep(ms(1_700));
    assert!(changes(2_000) > 1, "lost again");
    let output = daemon.finish();
    output.assert_fine();
    assert!(!is_on(), "dark at the end");
    assert!(output.objects("led_failed").is_empty());
}

#[test]
fn an_led_that_fails_is_reported_once_and_ends_nothing() {
    let Some(_turn) = own_sysfs("an LED that fails") else { return };
    let sysfs = tempfile::tempdir().expect("a directory");
    let directory = led(sysfs.path(), "broken");
    fs::remove_file(directory.join("brightness")).expect("a file");
    std::os::unix::fs::symlink("/dev/full", directory.join("brightness")).expect("a link");
    let daemon = blinking(&sysfs, "broken");
    overrun(&daemon);
    thread::sleep(ms(2_500));
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(output.objects("led_failed").len(), 1, "{:?}", output.objects("led_failed"));
}

#[test]
fn an_led_without_a_descriptor_states_the_limit() {
    let Some(_turn) = own_sysfs("an LED without a descriptor") else { return };
    let sysfs = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(sysfs.path().join("class/net")).expect("a class");
    led(sysfs.path(), "lost");
    for style in ["", "--json"] {
        let mut command = sureplug(&format!("run --ports 1 {style} --led lost"));
        command.arg("--sysfs").arg(sysfs.path()).arg("--socket").arg(sysfs.path().join("events"));
        let daemon = Daemon::start(command);
        daemon.wait_until_scanned();
        // The open file cannot be written any more, so that it is opened again.
        let limits = ["--fsize=0", "--nofile=3:4096", "--pid", &daemon.pid().to_string()];
        assert!(Command::new("prlimit").args(limits).status().expect("prlimit, of util-linux").success());
        // An event that is damaged: the LED blinks.
        Injector::new().send(b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0=broken\0");
        let line =
            daemon.wait_for_line(|line| line.contains("the status LED") || line.contains("led_failed"));
        assert!(
            line.contains("Too many open files; RLIMIT_NOFILE allows this process 3 descriptors: raise it"),
            "{line}"
        );
    }
}

#[test]
fn an_led_that_is_not_there_is_reported_before_anything_else() {
    let output = run(sureplug("run --led no-such-led"));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:?}");
    assert!(output.stderr[0].contains("--led no-such-led"), "{output:?}");
}
