//! What a program hears that is run for each event: the contract of the kernel's old hotplug helper
//! (`call_usermodehelper_exec` in `lib/kobject_uevent.c`): the subsystem as its argument, the properties as its
//! environment.

use crate::journal::Entry;
use crate::uevent::{Property, decimal_text};

/// Bytes of an environment at most.
pub const MAX_ENVIRONMENT_BYTES: usize = 4_352;

/// What every program gets, as the kernel's helper did.
const BASE: [(&[u8], &[u8]); 2] = [(b"PATH", b"/sbin:/bin:/usr/sbin:/usr/bin"), (b"HOME", b"/")];

/// Variables that change how a program, its shell, its loader, its C library or its interpreter works: no event may
/// set them.
const REFUSED: [&[u8]; 33] = [
    b"BASHOPTS",
    b"CDPATH",
    b"DEBUGINFOD_URLS",
    b"ENV",
    b"EXINIT",
    b"FPATH",
    b"GETCONF_DIR",
    b"GLOBIGNORE",
    b"HISTFILE",
    b"HOME",
    b"HOSTALIASES",
    b"IFS",
    b"LANG",
    b"LANGUAGE",
    b"LOCALDOMAIN",
    b"LOCPATH",
    b"LOGNAME",
    b"MODPROBE_OPTIONS",
    b"NIS_PATH",
    b"NLSPATH",
    b"NODE_OPTIONS",
    b"NODE_PATH",
    b"PATH",
    b"POSIXLY_CORRECT",
    b"PROMPT_COMMAND",
    b"PWD",
    b"SHELL",
    b"SHELLOPTS",
    b"TERMCAP",
    b"TMPDIR",
    b"TZ",
    b"TZDIR",
    b"USER",
];

/// The same for all that begins so.
const REFUSED_PREFIXES: [&[u8]; 16] = [
    b"BASH_",
    b"DYLD_",
    b"GCONV_",
    b"GLIBC_",
    b"JAVA_",
    b"LC_",
    b"LD_",
    b"LUA_",
    b"MALLOC_",
    b"MUSL_",
    b"OPENSSL_",
    b"PERL",
    b"PS",
    b"PYTHON",
    b"RES_",
    b"RUBY",
];

/// Whether a property may become a variable of that name.
#[must_use]
pub fn is_allowed(key: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    key.first().is_some_and(|first| !first.is_ascii_digit())
        && key.iter().all(is_word)
        && !REFUSED.contains(&key)
        && !is_refused_prefix(key)
}

/// `PS1` to `PS9` are a shell's; `PSEUDO_DEVICE` is not.
fn is_refused_prefix(key: &[u8]) -> bool {
    REFUSED_PREFIXES.iter().any(|prefix| match key.strip_prefix(*prefix) {
        Some([digit]) if *prefix == b"PS" => digit.is_ascii_digit(),
        Some(_) => *prefix != b"PS",
        None => false,
    })
}

/// Writes the environment for an event: variables `KEY=value`, each with a NUL behind it. `SEQNUM` is `seqnum`, which
/// counts what that program was told, without a gap: some wait for each other by it. The kernel's is
/// `SUREPLUG_KERNEL_SEQNUM`. What comes twice, and what does not fit, is left out.
pub fn environment<'b>(
    buffer: &'b mut [u8; MAX_ENVIRONMENT_BYTES],
    entry: &Entry<'_>,
    seqnum: u64,
) -> &'b [u8] {
    let mut block = Block { buffer, length: 0 };
    for (key, value) in BASE {
        block.set(key, value);
    }
    let mut digits = [0; 20];
    block.set(b"SEQNUM", decimal_text(seqnum, &mut digits));
    for Property { key, value } in entry.added_properties() {
        block.set(key, value);
    }
    for Property { key, value } in entry.uevent.properties() {
        match key {
            b"SEQNUM" => block.set(b"SUREPLUG_KERNEL_SEQNUM", value),
            key if key.starts_with(crate::protocol::PREFIX) => {}
            key if is_allowed(key) => block.set(key, value),
            _ => {}
        }
    }
    let Block { buffer, length } = block;
    &buffer[..length]
}

struct Block<'b> {
    buffer: &'b mut [u8; MAX_ENVIRONMENT_BYTES],
    length: usize,
}

impl Block<'_> {
    /// Unless it is set already.
    fn set(&mut self, key: &[u8], value: &[u8]) {
        let is_key =
            |variable: &[u8]| variable.strip_prefix(key).is_some_and(|rest| rest.first() == Some(&b'='));
        let written = &self.buffer[..self.length];
        let length = key.len() + value.len() + 2;
        if self.length + length > self.buffer.len() || written.split(|byte| *byte == 0).any(is_key) {
            return;
        }
        for part in [key, b"=", value, b"\0"] {
            self.buffer[self.length..self.length + part.len()].copy_from_slice(part);
            self.length += part.len();
        }
    }
}
