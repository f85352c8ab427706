//! What `run` serves beside its output.

use super::options::Options;
use super::output::complain;
use crate::engine::Worker;
use crate::profile::Profile;
use crate::service::broker::{Broker, OpenError};
use crate::service::hook::Hook;
use crate::service::led::StatusLed;
use crate::service::supervisor::Supervisor;

/// Applications, a program for each event, an LED, and who started it.
pub(super) struct Outlets {
    broker: Option<Result<Broker, OpenError>>,
    hook: Option<Hook>,
    led: Option<StatusLed>,
    supervisor: Option<Supervisor>,
}

impl Outlets {
    /// Nothing.
    pub(super) const fn none() -> Self {
        Self { broker: None, hook: None, led: None, supervisor: None }
    }

    /// Opens all that is asked for, before there are threads; says why where that is impossible.
    pub(super) fn open(options: &Options, supervisor: Supervisor) -> Option<Self> {
        let led = options.led.as_deref().map(|name| {
            StatusLed::of_sysfs(&options.board.sysfs, name).map_err(|error| {
                complain(&format_args!("--led {name}: {error}; class/leds of sysfs has the names"));
            })
        });
        let led = led.transpose().ok()?;
        #[cfg(feature = "gpio")]
        let led = match &options.led_gpio {
            None => led,
            Some((chip, line)) => {
                let led = StatusLed::of_gpio(chip, *line);
                led.map_err(|error| {
                    let chip = chip.to_string_lossy();
                    complain(&format_args!(
                        "--led-gpio {chip}:{line}: {error}; gpioinfo(1) shows the free lines"
                    ));
                })
                .map(Some)
                .ok()?
            }
        };
        let hook = options.hook.as_deref().map(|program| {
            let opened = Hook::open(program, options.hook_timeout_ms);
            opened.map(|hook| hook.wanting(options.hook_wants.clone())).map_err(|error| {
                let program = program.to_string_lossy();
                complain(&format_args!("--hook {program}: no program to run: {error}"));
            })
        });
        let hook = hook.transpose().ok()?;
        let path = options.socket();
        let broker = Broker::open(path, options.socket_group);
        match &broker {
            // An image without one would look well and serve nobody; on a developer's machine the usual path may be
            // another daemon's.
            Err(error) if options.socket.is_some() || Profile::BUILD.is_fixed() => {
                complain(error);
                None
            }
            _ => Some(Self { broker: Some(broker), hook, led, supervisor: Some(supervisor) }),
        }
    }

    /// Why no application is served, if so.
    pub(super) fn unserved(&self) -> Option<&OpenError> {
        self.broker.as_ref()?.as_ref().err()
    }

    /// Gives them to a worker.
    pub(super) fn attach(self, worker: &mut Worker) {
        let Self { broker, hook, led, supervisor } = self;
        if let Some(Ok(broker)) = broker {
            worker.serve(broker);
        }
        if let Some(hook) = hook {
            worker.hook(hook);
        }
        if let Some(led) = led {
            worker.show_on(led);
        }
        if let Some(supervisor) = supervisor {
            worker.report_to(supervisor);
        }
    }
}
