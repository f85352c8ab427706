use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::architecture::{Architecture, here};

/// More for a board than it has by default.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Appended to the kernel's command line.
    pub append: String,
    /// Appended to QEMU's arguments.
    pub arguments: Vec<String>,
    /// Files of the guest, by path: what they hold.
    pub files: Vec<(String, String)>,
    /// Programs in the guest's `/bin`, by name: where they are here.
    pub programs: Vec<(String, PathBuf)>,
}

/// A running QEMU, and the near ends of its sockets. It ends when this is dropped, or with the
/// thread that started it.
pub(crate) struct Qemu {
    child: Child,
    log: PathBuf,
}

/// The sockets of a board.
pub(crate) struct Sockets {
    pub(crate) console: UnixStream,
    pub(crate) line: UnixStream,
    pub(crate) agent: UnixStream,
    pub(crate) qmp: UnixStream,
}

/// How long QEMU may take to be there.
const PATIENCE: Duration = Duration::from_secs(180);

impl Qemu {
    /// Starts a board; `directory` is for its sockets.
    pub(crate) fn start(
        architecture: Architecture,
        kernel: &Path,
        initramfs: &[u8],
        directory: &Path,
        extra: &Extra,
    ) -> (Self, Sockets) {
        let image = directory.join("initramfs");
        fs::write(&image, initramfs).expect("a file for the initramfs");
        let (program, machine) = architecture.machine();
        let log = directory.join("qemu.log");
        // Ends it when this thread does.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(here("qemu")).arg(program).args(machine);
        command.args([
            "-m",
            "512",
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-audiodev",
            "none,id=snd0",
        ]);
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(image);
        command.arg("-append").arg(format!("console=ttyAMA0 quiet panic=-1 {}", extra.append));
        command.args(["-device", "qemu-xhci,id=xhci,p2=15,p3=15", "-device", "virtio-serial-pci"]);
        let ways = ["console", "line", "agent", "qmp"].map(|name| Way::open(directory, name));
        for way in &ways {
            command.arg("-chardev").arg(format!("socket,id={},path={}", way.name, way.path.display()));
        }
        command.args(["-serial", "chardev:console", "-device", "virtserialport,chardev=agent"]);
        // A UART that waits for its line, as real ones do: that of the console makes the processor wait.
        command.args(["-device", "pci-serial,chardev=line"]);
        command.args(["-mon", "chardev=qmp,mode=control"]).args(&extra.arguments);
        let said = fs::File::create(&log).expect("a file for QEMU's output");
        command.stdin(Stdio::null()).stdout(said.try_clone().expect("a descriptor")).stderr(said);
        let child = command.spawn().expect("setpriv, of util-linux");
        let mut qemu = Self { child, log };
        let [console, line, agent, qmp] = ways.map(|way| way.accept(&mut qemu));
        (qemu, Sockets { console, line, agent, qmp })
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Returns QEMU's output.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A socket that QEMU connects to.
struct Way {
    name: &'static str,
    path: PathBuf,
    listener: UnixListener,
}

impl Way {
    fn open(directory: &Path, name: &'static str) -> Self {
        let path = directory.join(name);
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        Self { name, path, listener }
    }

    fn accept(self, qemu: &mut Qemu) -> UnixStream {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).expect("a socket");
                return stream;
            }
            assert!(!qemu.has_ended() && Instant::now() < end, "QEMU does not start: {}", qemu.output());
            thread::sleep(Duration::from_millis(10));
        }
    }
}
