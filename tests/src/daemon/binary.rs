use std::env;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::Uid;
use serde_json::Value;

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

/// The environment of a build that fixes the board's profile.
pub const PROFILE_VARIABLES: [&str; 6] = [
    "SUREPLUG_USB_PORTS",
    "SUREPLUG_PORT_DEVICE",
    "SUREPLUG_DEVICES_PER_PORT",
    "SUREPLUG_MAX_STALL_MS",
    "SUREPLUG_DEVPATH_MAX",
    "SUREPLUG_SUBSYSTEMS",
];

/// A call of `cargo` on the workspace that the daemon is in, for a build without a profile.
#[must_use]
pub fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([subcommand, "--locked", "--manifest-path"]).arg(root().join("Cargo.toml"));
    for variable in PROFILE_VARIABLES {
        command.env_remove(variable);
    }
    if let Some((user, group)) = user_of_sudo() {
        // What root builds could not be built anew by the user.
        command.uid(user).gid(group);
    }
    command
}

/// Returns the user who runs this test through sudo with their own environment; `None` otherwise.
fn user_of_sudo() -> Option<(u32, u32)> {
    let number = |variable: &str| env::var(variable).ok()?.parse().ok();
    let (user, group) = (number("SUDO_UID")?, number("SUDO_GID")?);
    let is_theirs = fs::metadata(env::var_os("HOME")?).ok()?.uid() == user;
    (Uid::effective().is_root() && is_theirs).then_some((user, group))
}

/// Where the workspace is that the daemon is in.
///
/// # Panics
///
/// Never: tests are in a directory of the project.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's directory")
}

/// Runs a call of [`cargo`] that builds the daemon, and finds the program.
///
/// # Errors
///
/// Returns the standard error of `cargo` if the build fails.
///
/// # Panics
///
/// Panics if there is no `cargo`, or if it does not build a daemon.
pub fn build(mut command: Command) -> Result<PathBuf, String> {
    let command = command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null());
    let output = command.output().expect("cargo runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let messages = String::from_utf8(output.stdout).expect("messages are UTF-8");
    Ok(executable(&messages, "sureplug").expect("cargo builds the daemon"))
}

/// Where a target's program is, by the messages of the `cargo` that built it.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).expect("a message is JSON");
        let is_it = message["target"]["name"] == target;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    })
}

/// Builds an example of the board's crate, and finds the program.
///
/// # Panics
///
/// If that fails.
#[must_use]
pub fn build_example(name: &str) -> PathBuf {
    let mut command = cargo("build");
    command.args(["--package", "sureplug-board", "--example", name]);
    let output = command.arg("--message-format=json-render-diagnostics").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    executable(&String::from_utf8_lossy(&output.stdout), name).expect("cargo builds the example")
}

/// The daemon as an image has it, built once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut command = cargo("build");
        command.arg("--release");
        build(command).unwrap_or_else(|stderr| panic!("{stderr}"))
    })
}

/// The daemon with those arguments, separated by blanks.
#[must_use]
pub fn sureplug(arguments: &str) -> Command {
    let mut command = Command::new(program());
    command.args(arguments.split_whitespace());
    command
}

/// The daemon with all subsystems, as its tests raise events of those that do not disturb the
/// machine.
#[must_use]
pub fn watching_all(arguments: &str) -> Command {
    let mut command = sureplug(arguments);
    command.args(["--subsystem", "all"]);
    command
}

/// The daemon without capabilities: as the user `nobody` if this is root, otherwise as the calling
/// user.
#[must_use]
pub fn unprivileged(arguments: &str) -> Command {
    unprivileged_program(program(), arguments)
}

/// As [`unprivileged`], with another build of the daemon.
///
/// # Panics
///
/// If the program cannot be opened.
#[must_use]
pub fn unprivileged_program(program: &Path, arguments: &str) -> Command {
    let mut command = if Uid::effective().is_root() {
        // By descriptor: the user `nobody` may not have access to the directory.
        let file = File::open(program).expect("the program opens");
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).expect("a descriptor to inherit");
        let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
        command.uid(NOBODY).gid(NOBODY);
        // For as long as the tests run: the command may be run at any time.
        std::mem::forget(file);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments.split_whitespace());
    command
}
