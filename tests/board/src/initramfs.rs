use std::fs;
use std::path::Path;

use crate::modules;

/// An initramfs as it grows: the format `newc` of cpio (`Documentation/driver-api/early-userspace/buffer-format.rst`).
pub(crate) struct Initramfs(Vec<u8>);

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

impl Initramfs {
    /// Busybox as init, the modules in the order in which they load, and the files of `guest`.
    pub(crate) fn new(files: &Path, guest: &Path) -> Self {
        let mut initramfs = Self(Vec::new());
        let directories =
            ["bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "etc/init.d", "etc/default"];
        for directory in directories.iter().chain(&["modules"]) {
            initramfs.entry(directory, DIRECTORY, &[]);
        }
        // What init opens before anything is mounted.
        initramfs.header("dev/console", CHARACTER_DEVICE, 0, (5, 1));
        initramfs.entry("bin/busybox", PROGRAM, &read(&files.join("busybox")));
        for link in ["bin/sh", "init", "bin/mount"] {
            initramfs.entry(link, LINK, b"/bin/busybox");
        }
        let order = modules::in_order(&files.join("modules"));
        for (name, bytes) in &order {
            initramfs.entry(&format!("modules/{name}.ko"), FILE, bytes);
        }
        let names: Vec<&str> = order.iter().map(|(name, _)| name.as_str()).chain([""]).collect();
        initramfs.entry("modules/order", FILE, names.join("\n").as_bytes());
        initramfs.entry("etc/passwd", FILE, b"root::0:0::/:/bin/sh\nnobody:*:65534:65534::/:/bin/false\n");
        initramfs.entry("etc/group", FILE, b"root:x:0:\nnogroup:x:65534:\n");
        initramfs.entry("etc/inittab", FILE, &read(&guest.join("inittab")));
        initramfs.entry("bin/agent", PROGRAM, &read(&guest.join("agent")));
        for script in ["rcS", "S30sureplug"] {
            initramfs.entry(&format!("etc/init.d/{script}"), PROGRAM, &read(&guest.join(script)));
        }
        initramfs
    }

    /// Puts a program into `/bin`.
    pub(crate) fn program(&mut self, name: &str, path: &Path) {
        self.entry(&format!("bin/{name}"), PROGRAM, &read(path));
    }

    /// Puts a file anywhere; its directory must exist.
    pub(crate) fn file(&mut self, path: &str, contents: &str) {
        self.entry(path.trim_start_matches('/'), FILE, contents.as_bytes());
    }

    /// All of it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.header("TRAILER!!!", 0, 0, (0, 0));
        self.0
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.header(name, mode, contents.len(), (0, 0));
        self.0.extend_from_slice(contents);
        self.pad();
    }

    fn header(&mut self, name: &str, mode: u32, size: usize, (major, minor): (u32, u32)) {
        let inode = self.0.len();
        let fields = format!(
            "070701{inode:08x}{mode:08x}{uid:08x}{gid:08x}{links:08x}{time:08x}{size:08x}{dev:08x}{dev:08x}\
             {major:08x}{minor:08x}{name_bytes:08x}{check:08x}{name}\0",
            uid = 0,
            gid = 0,
            links = 1,
            time = 0,
            dev = 0,
            name_bytes = name.len() + 1,
            check = 0,
        );
        self.0.extend_from_slice(fields.as_bytes());
        self.pad();
    }

    /// Headers and contents begin at multiples of four bytes.
    fn pad(&mut self) {
        let length = self.0.len().next_multiple_of(4);
        self.0.resize(length, 0);
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
