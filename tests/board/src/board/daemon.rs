use serde_json::Value;

use super::{Board, PATIENCE, Source};
use crate::lines::Lines;
use crate::log::Log;

impl Board {
    /// Starts the daemon with those arguments after `run --json`, by its init script, and waits
    /// until it has reported the present devices.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub fn start_daemon(&mut self, arguments: &str) {
        self.read_log_of(Source::Console);
        self.run_init_script(arguments);
        self.wait_for_kind("scanned");
    }

    /// The same with its log on the second UART.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_daemon_on_line(&mut self, arguments: &str) {
        // Keeps the line open: the last close empties the UART, and an emulated one has no speed
        // from which the kernel could derive how long to wait first.
        self.shell.run("exec 7</dev/ttyS0");
        self.read_log_of(Source::Line);
        self.run_init_script(&format!("--log /dev/ttyS0 {arguments}"));
        self.wait_for_kind("scanned");
    }

    /// Starts it with those arguments after `run --json`, without waiting.
    ///
    /// # Panics
    ///
    /// Panics if the script fails.
    pub fn run_init_script(&mut self, arguments: &str) {
        self.shell
            .run(&format!("echo \"ARGS='run --json {} {arguments}'\" >/etc/default/sureplug", self.usual));
        self.shell.run("/etc/init.d/S30sureplug start");
    }

    /// Starts the daemon without capabilities, with those arguments after `run --json`.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub fn start_daemon_as_nobody(&mut self, arguments: &str) {
        self.read_log_of(Source::Console);
        self.shell.run(&format!(
            "chmod a+rw /dev/console; start-stop-daemon -S -b -m -p /run/sureplug.pid -c nobody:nogroup -x /bin/sh -- \
             -c 'exec sureplug run --json {} {arguments} </dev/null >/dev/console 2>&1'",
            self.usual
        ));
        self.wait_for_kind("scanned");
    }

    /// Ends the daemon by its init script and returns its last line.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop_daemon(&mut self) -> Value {
        self.shell.run("/etc/init.d/S30sureplug stop");
        self.wait_for_kind("totals")
    }

    /// Ends the daemon and starts it with other arguments.
    ///
    /// # Panics
    ///
    /// If it does not end or start.
    pub fn restart_daemon(&mut self, arguments: &str) {
        self.stop_daemon();
        self.start_daemon(arguments);
    }

    /// Sends the daemon a signal, such as `STOP`.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn signal_daemon(&mut self, signal: &str) {
        self.shell.run(&format!("kill -{signal} $(cat /run/sureplug.pid)"));
    }

    /// Takes the daemon's output so far, and returns its number of objects.
    ///
    /// # Panics
    ///
    /// Panics if it breaks a rule of its stream.
    pub fn listen(&mut self) -> usize {
        self.log.absorb(lines_of(&self.source, &self.console, &self.line));
        self.log.objects.len()
    }

    /// Waits for an object of a kind that was not examined yet, and takes all objects up to now.
    ///
    /// # Panics
    ///
    /// Panics if it does not come.
    pub fn wait_for_kind(&mut self, kind: &str) -> Value {
        let start = format!("{{\"kind\":\"{kind}\"");
        let found =
            lines_of(&self.source, &self.console, &self.line)
                .wait_for(self.log.next, PATIENCE, |line| line.starts_with(&start));
        let (_, line) = found.unwrap_or_else(|error| panic!("{kind}: {error}"));
        self.listen();
        serde_json::from_str(&line).expect("JSON")
    }

    /// What comes there from now on is the log.
    pub fn read_log_of(&mut self, source: Source) {
        self.source = source;
        self.log = Log::starting_at(lines_of(&self.source, &self.console, &self.line).count());
    }
}

/// The lines of the log.
const fn lines_of<'l>(source: &'l Source, console: &'l Lines, line: &'l Lines) -> &'l Lines {
    match source {
        Source::Console => console,
        Source::Line => line,
        Source::Other(lines) => lines,
    }
}
