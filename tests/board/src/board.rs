use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::architecture::{Architecture, here};
use crate::initramfs::Initramfs;
use crate::lines::Lines;
use crate::log::Log;
use crate::qemu::{Extra, Qemu};
use crate::qmp::Qmp;
use crate::shell::Shell;
use crate::storage::write_disk;
use crate::truth::Truth;
use crate::usb::Usb;

/// For how long a board that is slow may take for what it does in a second.
const PATIENCE: Duration = Duration::from_secs(45);

/// What must be the same in sysfs and in what was told, if a device has it.
const IDENTITY: [&str; 8] =
    ["MAJOR", "MINOR", "DEVNAME", "BUSNUM", "DEVNUM", "DISKSEQ", "IFINDEX", "PRODUCT"];

/// Where the daemon's log goes.
pub enum Source {
    /// The serial console, by standard output.
    Console,
    /// The second UART, by `--log`.
    Line,
    /// Another line of the scenario's.
    Other(Lines),
}

/// A running board.
pub struct Board {
    /// Which it is.
    pub architecture: Architecture,
    /// Its serial console.
    pub console: Lines,
    /// Its second UART, `/dev/ttyS0`.
    pub line: Lines,
    /// Where the daemon's log is read.
    pub source: Source,
    /// A shell on it.
    pub shell: Shell,
    /// What the daemon has said.
    pub log: Log,
    /// From QEMU's start to the daemon's first line.
    pub booted_in: Duration,
    /// Arguments that the daemon has in any case.
    pub usual: &'static str,
    qmp: Qmp,
    /// By port.
    plugged: BTreeMap<String, Usb>,
    /// How many devices were plugged in: QEMU wants new names.
    count: u32,
    directory: TempDir,
    /// Ends first.
    _qemu: Qemu,
}

impl Board {
    /// Boots a board, up to the daemon's `scanned`.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn boot(architecture: Architecture, extra: &Extra) -> Self {
        let files = architecture.files();
        let directory = TempDir::with_prefix("sureplug-board-").expect("a directory");
        let mut initramfs = Initramfs::new(&files, &here("guest"));
        initramfs.program("sureplug", &architecture.daemon());
        for source in ["small_reader.c", "bare_reader.c"] {
            let program = architecture.compile(source, directory.path());
            initramfs.program(source.trim_end_matches(".c"), &program);
        }
        for (name, path) in &extra.programs {
            initramfs.program(name, path);
        }
        initramfs.file("etc/default/sureplug", "ARGS='run --json'\n");
        for (path, contents) in &extra.files {
            initramfs.file(path, contents);
        }
        let begun = Instant::now();
        let kernel = files.join("vmlinuz");
        let (qemu, sockets) =
            Qemu::start(architecture, &kernel, &initramfs.finish(), directory.path(), extra);
        let mut board = Self {
            architecture,
            console: Lines::of(sockets.console),
            line: Lines::of(sockets.line),
            source: Source::Console,
            shell: Shell::new(sockets.agent),
            log: Log::default(),
            booted_in: Duration::ZERO,
            usual: "",
            qmp: Qmp::new(sockets.qmp),
            plugged: BTreeMap::new(),
            count: 0,
            directory,
            _qemu: qemu,
        };
        board.wait_for_kind("start");
        board.booted_in = begun.elapsed();
        board.wait_for_kind("scanned");
        board
    }

    /// Starts the daemon with those arguments behind `run --json`, by its init script, and waits until it has told
    /// what is present.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_daemon(&mut self, arguments: &str) {
        self.source = Source::Console;
        self.log = Log::starting_at(self.console.count());
        self.run_init_script(arguments);
        self.wait_for_kind("scanned");
    }

    /// The same with its log on the second UART.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_daemon_on_line(&mut self, arguments: &str) {
        self.source = Source::Line;
        // Somebody else has it open: the last close empties the UART, and an emulated one has no speed of its own by which
        // the kernel knows how long to wait before.
        self.shell.run("exec 7</dev/ttyS0");
        self.log = Log::starting_at(self.line.count());
        self.run_init_script(&format!("--log /dev/ttyS0 {arguments}"));
        self.wait_for_kind("scanned");
    }

    /// Starts it with those arguments behind `run --json`, and waits for nothing.
    ///
    /// # Panics
    ///
    /// If the script fails.
    pub fn run_init_script(&mut self, arguments: &str) {
        self.shell
            .run(&format!("echo \"ARGS='run --json {} {arguments}'\" >/etc/default/sureplug", self.usual));
        self.shell.run("/etc/init.d/S30sureplug start");
    }

    /// Starts the daemon without capabilities, with those arguments behind `run --json`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_daemon_as_nobody(&mut self, arguments: &str) {
        self.source = Source::Console;
        self.log = Log::starting_at(self.console.count());
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

    /// Plugs a device into a port: `2`, or `2.1` of a hub.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug(&mut self, port: &str, usb: Usb) {
        self.plug_with(port, usb, &json!({}));
    }

    /// The same, with more properties of QEMU's device.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug_with(&mut self, port: &str, usb: Usb, properties: &Value) {
        self.count += 1;
        let (id, node) = (id_of(port), format!("n{}", self.count));
        let mut device = json!({"driver": usb.driver(), "id": id, "bus": "xhci.0", "port": port});
        match usb {
            Usb::Keyboard | Usb::Mouse | Usb::Hub => {}
            Usb::Stick(partitions) => {
                self.add_disk(&node, partitions);
                device["drive"] = node.into();
            }
            Usb::Uas(partitions) | Usb::CardReader(partitions) => {
                // It comes once all its disks are in it.
                device["attached"] = false.into();
                self.qmp.execute("device_add", &device);
                for lun in 0..usb.disks() {
                    let node = format!("{node}-{lun}");
                    self.add_disk(&node, partitions);
                    let disk =
                        json!({"driver": "scsi-hd", "bus": format!("{id}.0"), "drive": node, "lun": lun});
                    self.qmp.execute("device_add", &disk);
                }
                let path = format!("/machine/peripheral/{id}");
                let attach = json!({"path": path, "property": "attached", "value": true});
                self.qmp.execute("qom-set", &attach);
                self.plugged.insert(port.into(), usb);
                return;
            }
            Usb::Serial => {
                let given = properties.get("chardev").is_some();
                if !given {
                    let backend = json!({"id": node, "backend": {"type": "null", "data": {}}});
                    self.qmp.execute("chardev-add", &backend);
                    device["chardev"] = node.into();
                }
                device["always-plugged"] = true.into();
            }
            Usb::Audio => device["audiodev"] = "snd0".into(),
            Usb::Ethernet => {
                self.qmp.execute("netdev_add", &json!({"type": "hubport", "hubid": self.count, "id": node}));
                device["netdev"] = node.into();
            }
        }
        for (key, value) in properties.as_object().into_iter().flatten() {
            device[key] = value.clone();
        }
        self.qmp.execute("device_add", &device);
        self.plugged.insert(port.into(), usb);
    }

    /// Plugs in many at once: the board sees none before all are there.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn plug_at_once(&mut self, devices: &[(&str, Usb)]) {
        self.at_once(|board| devices.iter().for_each(|&(port, usb)| board.plug(port, usb)));
    }

    /// Does something while the board's processor stands still.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn at_once(&mut self, act: impl FnOnce(&mut Self)) {
        self.qmp.execute("stop", &json!({}));
        act(self);
        self.qmp.execute("cont", &json!({}));
    }

    /// Unplugs what is in a port, and with a hub all below it.
    ///
    /// # Panics
    ///
    /// If nothing is plugged in there.
    pub fn unplug(&mut self, port: &str) {
        self.qmp.execute("device_del", &json!({"id": id_of(port)}));
        let below = format!("{port}.");
        self.plugged.retain(|at, _| at != port && !at.starts_with(&below));
    }

    /// Unplugs everything.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn unplug_all(&mut self) {
        let ports: Vec<String> = self.plugged.keys().filter(|port| !port.contains('.')).cloned().collect();
        self.at_once(|board| ports.iter().for_each(|port| board.unplug(port)));
    }

    /// Executes a command of QEMU's monitor.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn qmp(&mut self, command: &str, arguments: &Value) -> Value {
        self.qmp.execute(command, arguments)
    }

    /// A directory of this board's own, here.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// What the guest's sysfs shows now.
    pub fn truth(&mut self) -> Truth {
        Truth::read(&mut self.shell)
    }

    /// Whether all that was plugged in has come, and all else has gone, in sysfs.
    #[must_use]
    pub fn shows_what_is_plugged(&self, truth: &Truth) -> bool {
        let has_come = self.plugged.iter().all(|(port, usb)| usb.is_complete(truth, port));
        let mut present = truth.0.values().filter_map(|device| {
            let devname = device.properties.get("DEVNAME")?;
            (device.subsystem == "usb" && devname.starts_with("bus/usb/")).then_some(())
        });
        // The two root hubs are always there.
        has_come && present.by_ref().count() == self.plugged.len() + 2
    }

    /// Waits until sysfs shows what is plugged in.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait_for_sysfs(&mut self) -> Truth {
        let end = Instant::now() + PATIENCE;
        loop {
            let truth = self.truth();
            if self.shows_what_is_plugged(&truth) {
                return truth;
            }
            assert!(Instant::now() < end, "sysfs does not show what is plugged in: {:?}", self.plugged);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until sysfs shows what is plugged in, and the daemon has told exactly that, as far as it tells of it.
    ///
    /// # Panics
    ///
    /// If it does not, or broke a rule of its stream.
    pub fn settle(&mut self) -> Truth {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut truth = self.wait_for_sysfs();
            self.log.absorb(said(&self.source, &self.console, &self.line));
            truth.0.retain(|_, device| self.log.tells_of(&device.subsystem));
            let difference = difference(&truth, &self.log);
            if difference.is_empty() {
                return truth;
            }
            assert!(Instant::now() < end, "told and true differ: {difference:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Takes what the daemon has said; returns how many objects that makes.
    ///
    /// # Panics
    ///
    /// If it broke a rule of its stream.
    pub fn listen(&mut self) -> usize {
        self.log.absorb(said(&self.source, &self.console, &self.line));
        self.log.objects.len()
    }

    /// Waits for the daemon to say something of a kind that was not looked at yet, and takes all up to now.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait_for_kind(&mut self, kind: &str) -> Value {
        let start = format!("{{\"kind\":\"{kind}\"");
        let found = said(&self.source, &self.console, &self.line)
            .wait_for(self.log.next, PATIENCE, |line| line.starts_with(&start));
        let (_, line) = found.unwrap_or_else(|error| panic!("{kind}: {error}"));
        self.log.absorb(said(&self.source, &self.console, &self.line));
        serde_json::from_str(&line).expect("JSON")
    }
}

/// The lines of the log.
const fn said<'l>(source: &'l Source, console: &'l Lines, line: &'l Lines) -> &'l Lines {
    match source {
        Source::Console => console,
        Source::Line => line,
        Source::Other(lines) => lines,
    }
}

/// In what the fold is not what sysfs shows.
fn difference(truth: &Truth, log: &Log) -> Vec<String> {
    let mut difference = Vec::new();
    for (devpath, device) in &truth.0 {
        let Some(told) = log.fold.present.get(devpath) else {
            difference.push(format!("{devpath} was not told"));
            continue;
        };
        for key in IDENTITY {
            let (is, told) = (device.properties.get(key), told.properties.get(key));
            if is.is_some() && is != told {
                difference.push(format!("{devpath}: {key} is {is:?}, and {told:?} was told"));
            }
        }
    }
    let phantoms = log.fold.present.keys().filter(|devpath| !truth.0.contains_key(*devpath));
    difference.extend(phantoms.map(|devpath| format!("{devpath} is gone")));
    difference
}

/// QEMU's name of the device in a port.
fn id_of(port: &str) -> String {
    format!("p{}", port.replace('.', "_"))
}

impl Board {
    fn add_disk(&mut self, node: &str, partitions: u8) {
        let path = self.directory.path().join(format!("{node}.img"));
        write_disk(&path, partitions);
        let file = json!({"driver": "file", "filename": path.to_string_lossy(), "locking": "off"});
        self.qmp.execute("blockdev-add", &json!({"driver": "raw", "node-name": node, "file": file}));
    }
}
