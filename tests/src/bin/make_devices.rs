//! Makes real devices come and go: `make_devices SEED COUNT PREFIX [FIRST_LOOP]`. In COUNT random steps it
//! makes net devices of six names with that prefix, or deletes or renames them, and with a number also two
//! loop devices. What exists at the end stays; `make_devices clean PREFIX [FIRST_LOOP]` removes it. For tests
//! that want several processes at it: a step that the kernel refuses, as others were faster, is counted, and
//! no error.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use std::{env, io};

use nix::libc;
use sureplug_tests::kernel::devices::{LoopDevice, NetDevice, delete, exists, remove_loop, rename};

const NAMES: u32 = 6;
const LOOPS: u32 = 2;

/// One step of this many is a rename, and one is about a loop device.
const RENAME_IN: u32 = 8;
const LOOP_IN: u32 = 8;

/// One device of this many is a bridge: the kernel takes 40 ms to delete one, and 15 ms for the
/// others.
const BRIDGE_IN: u32 = 9;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["clean", prefix] => Steps::new(0, prefix, None).clean(),
        ["clean", prefix, first] => Steps::new(0, prefix, Some(first)).clean(),
        [seed, count, prefix] => make(count, Steps::new(number(seed), prefix, None)),
        [seed, count, prefix, first] => make(count, Steps::new(number(seed), prefix, Some(first))),
        _ => panic!("SEED COUNT PREFIX [FIRST_LOOP], or clean PREFIX [FIRST_LOOP]"),
    }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn make(count: &str, mut steps: Steps) {
    let begin = Instant::now();
    let count = number(count);
    let mut refused = 0;
    for _ in 0..count {
        if let Err(error) = steps.step() {
            assert!(is_race(&error), "{error}");
            refused += 1;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{count} steps in {seconds:.3} s, {refused} of them refused");
    println!("left: {}", steps.left());
}

/// Returns `true` for the errors of a lost race with another process.
fn is_race(error: &io::Error) -> bool {
    let races = [libc::EEXIST, libc::EBUSY, libc::ENODEV, libc::ENXIO, libc::EBADFD];
    error.raw_os_error().is_some_and(|errno| races.contains(&errno))
}

struct Steps {
    /// Of the random numbers; never 0.
    state: u32,
    prefix: String,
    first_loop: Option<u32>,
}

impl Steps {
    fn new(seed: u32, prefix: &str, first_loop: Option<&str>) -> Self {
        // An odd multiplier: neighbouring seeds begin differently.
        let state = seed.wrapping_mul(0x9e37_79b9) | 1;
        Self { state, prefix: prefix.into(), first_loop: first_loop.map(number) }
    }

    /// A number below that, from George Marsaglia's xorshift.
    fn random(&mut self, below: u32) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        // The upper bits are the better ones.
        (self.state >> 8) % below
    }

    fn name(&self, number: u32) -> String {
        format!("{}{number}", self.prefix)
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (0..NAMES).map(|number| self.name(number))
    }

    fn loops(&self) -> impl Iterator<Item = u32> + use<> {
        self.first_loop.into_iter().flat_map(|first| first..first + LOOPS)
    }

    fn step(&mut self) -> io::Result<()> {
        if let Some(first) = self.first_loop.filter(|_| self.random(LOOP_IN) == 0) {
            return step_loop(first + self.random(LOOPS));
        }
        let number = self.random(NAMES);
        let (name, other) = (self.name(number), self.name((number + 1) % NAMES));
        if self.random(RENAME_IN) == 0 {
            return rename(&name, &other);
        }
        if exists(&name)? {
            return delete(&name);
        }
        match self.random(BRIDGE_IN) {
            0 => NetDevice::bridge(&name)?.leave(),
            number if number % 2 == 0 => NetDevice::tap(&name)?.leave(),
            _ => NetDevice::veth(&name, &other)?.leave(),
        }
    }

    fn clean(&self) {
        let results = self.names().map(|name| delete(&name)).chain(self.loops().map(remove_loop));
        for error in results.filter_map(Result::err) {
            assert!(is_race(&error), "{error}");
        }
    }

    /// Describes how many devices of each kind sysfs shows.
    fn left(&self) -> String {
        let mut kinds = BTreeMap::from(["bridge", "loop", "tap", "veth"].map(|kind| (kind, 0)));
        for name in self.names() {
            let directory = Path::new("/sys/class/net").join(name);
            let has = |file: &str| directory.join(file).exists();
            let kind = match () {
                () if has("tun_flags") => "tap",
                () if has("bridge") => "bridge",
                () if has("ifindex") => "veth",
                () => continue,
            };
            *kinds.entry(kind).or_default() += 1;
        }
        let loops = self.loops().filter(|number| Path::new(&format!("/sys/block/loop{number}")).exists());
        kinds.insert("loop", loops.count());
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        kinds.join(", ")
    }
}

/// Makes a loop device, or removes it if it exists.
fn step_loop(number: u32) -> io::Result<()> {
    match LoopDevice::create(number) {
        Ok(device) => {
            device.leave();
            Ok(())
        }
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => remove_loop(number),
        Err(error) => Err(error),
    }
}
