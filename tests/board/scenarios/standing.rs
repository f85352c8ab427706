//! Locked memory, priority and OOM score, as the guest's kernel sees them.

use sureplug_board_tests::{Board, Scenario, Usb};

pub(crate) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "standing::given", run: given }, Scenario { name: "standing::refused", run: refused }];

fn given(board: &mut Board) {
    board.restart_daemon("--lock-memory --intake-priority 20 --oom-score-adj -900");
    let locked = board.shell.number("awk '/^VmLck:/ { print $2 }' /proc/$(cat /run/sureplug.pid)/status");
    assert!(locked > 0);
    assert_eq!(board.shell.run("cat /proc/$(cat /run/sureplug.pid)/oom_score_adj").trim(), "-900");
    // The fields `rt_priority` and `policy` of proc(5), of each thread.
    let threads = board.shell.run(
        "for task in /proc/$(cat /run/sureplug.pid)/task/*; do \
         echo $(cat $task/comm) $(cut -d ' ' -f 40-41 $task/stat); done",
    );
    for line in threads.lines() {
        let wanted = if line.starts_with("intake ") { "20 1" } else { "0 0" };
        assert!(line.ends_with(wanted), "{threads}");
    }
    assert!(threads.contains("intake"), "{threads}");
    board.settle();
    let start = board.listen();
    board.plug("2", Usb::Stick(4));
    board.settle();
    board.unplug("2");
    board.settle();
    board.log.assert_lost_nothing(start);
    // A stop is a stall, and is reported at the end. It begins within two seconds after an event,
    // in which the intake checks for stalls: the board itself takes the time.
    board.shell.run(
        "for hub in /sys/bus/usb/devices/usb*; do echo change >$hub/uevent; done; usleep 500000; \
         kill -STOP $(cat /run/sureplug.pid); sleep 2; kill -CONT $(cat /run/sureplug.pid)",
    );
    board.settle();
    let totals = board.stop_daemon();
    let (longest_us, max_ms) = (totals["longest_stall_us"].as_u64(), totals["max_stall_ms"].as_u64());
    assert!(longest_us.zip(max_ms).is_some_and(|(longest, max)| longest > max * 1_000), "{totals}");
    board.start_daemon("");
}

/// A request that the kernel refuses is answered with advice.
fn refused(board: &mut Board) {
    for (option, cure) in [
        ("--lock-memory", "CAP_IPC_LOCK"),
        ("--intake-priority 20", "CAP_SYS_NICE"),
        ("--oom-score-adj -900", "CAP_SYS_RESOURCE"),
    ] {
        let (code, said) = board.shell.try_run(&format!(
            "start-stop-daemon -S -c nobody:nogroup -x /bin/sh -- -c 'ulimit -l 0; sureplug run {option}'"
        ));
        assert_eq!(code, 3, "{said}");
        assert!(
            said.contains(&format!("{} was refused", option.split(' ').next().unwrap_or(option))),
            "{said}"
        );
        assert!(said.contains(cure), "{said}");
    }
}
