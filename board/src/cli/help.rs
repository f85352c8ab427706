use super::topic::Topic;

pub(super) const fn text(topic: Topic) -> &'static str {
    match topic {
        Topic::Sureplug => SUREPLUG,
        Topic::Run => RUN,
        Topic::Size => SIZE,
        Topic::Monitor => MONITOR,
        Topic::List => LIST,
        Topic::Status => STATUS,
        Topic::Audit => AUDIT,
        Topic::Measure => MEASURE,
        Topic::Record => RECORD,
        Topic::Decode => DECODE,
    }
}

const SUREPLUG: &str = "\
sureplug: USB hotplug events that an embedded Linux board cannot lose

Usage: sureplug [run] [OPTIONS]    watch the kernel's uevents, in the foreground
       sureplug size [OPTIONS]     how large the receive buffer must be, and whether it can be
       sureplug monitor [OPTIONS]  show what a running daemon tells applications
       sureplug list [OPTIONS]     show the devices that are present, as a tree
       sureplug status [OPTIONS]   how a running daemon is
       sureplug audit [OPTIONS]    who else listens to uevents, and who of them loses some
       sureplug measure [OPTIONS]  what a device raises: plug it in and out; for the image's profile
       sureplug record FILE        the kernel's datagrams into a capture that Wireshark reads too
       sureplug decode FILE        what is in such a capture
       sureplug help [COMMAND]

Options of all commands:
  --ports N             USB ports of the board, 1 to 127 (the image's, else counted in sysfs, at least 4)
  --port-device CLASS   the worst device in each: hub, mouse, keyboard, storage, card-reader, serial,
                        audio, ethernet, uas, hub8 (a hub with 8 sticks), or
                        custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS (the image's, else storage)
  --max-stall-ms MS     for how long nobody may read the socket, 1 to 600000 (the image's, else 1000)
  --devpath-max BYTES   the longest devpath of a device in a port, 16 to 1000 (the image's, else 96)
  --subsystem NAME      a subsystem that is wanted, or `all`; up to 16, an option each (the image's, else
                        what USB devices make: usb, block, net, tty, input, sound and others)
  --sysfs DIR           where sysfs is (/sys)
  --json                one JSON object a line
  -h, --help            this text, or that of the command before it
  -V, --version         the version

Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 the system refused.
";

const RUN: &str = "\
sureplug run: watch the kernel's uevents, in the foreground

Usage: sureplug [run] [OPTIONS]

  --allow-undersized    start although the buffer or the stated ports are too few, and keep saying so
  -v, --verbose         all properties of each event, on lines of their own
  --socket PATH         where applications are served (/run/sureplug/events)
  --socket-group GROUP  the group that may connect, by name or number (that of this process)
  --hook PATH           a program that is run for each event, one run at a time, with the subsystem as its
                        argument and the properties as its environment
  --hook-subsystem NAME  a subsystem that it is run for (all); one option for each
  --hook-property KEY   it is run only for events with this property, such as MODALIAS
  --hook-timeout-ms MS  for how long a run may take, 1 to 600000 (10000)
  --led NAME            an LED of /sys/class/leds: on, blinking while a loss is repaired, and slowly after
                        it, until SIGUSR1
  --led-gpio CHIP:LINE  the same on a GPIO line, as /dev/gpiochip0:17, if it was built with the feature gpio
  --ready-fd N          a descriptor on which a line is written when all devices are known
  --metrics FILE        figures for Prometheus, in a file that is replaced whole; needs FILE.tmp beside it
  --metrics-interval-s S  how often, 1 to 86400 (15)
  --log kmsg|syslog     losses and warnings into the kernel's log or the system's as well, ten lines in 5 s
  --log PATH            a terminal for the lines, instead of standard output; it is made raw, and opened
                        again whenever it was gone
  --lock-memory         keep all memory resident (mlockall)
  --intake-priority N   real-time priority of the thread that reads the socket, 1 to 99 (none)
  --oom-score-adj N     what the kernel kills when memory runs out, -1000 (never this) to 1000 (as started)
  and all options of `sureplug --help`

It begins with the devices that are present. What is lost is repaired from sysfs: for each device path,
add and remove alternate whatever happens. SIGTERM and SIGINT end it with the totals. A reader that does
not keep up is told how many events it missed, and then the difference; the socket is read all the same.

Exit codes: 0 ended by a signal or its reader, 2 wrong usage, 3 refused to start.
";

const MONITOR: &str = "\
sureplug monitor: show what a running daemon tells applications

Usage: sureplug monitor [OPTIONS]

  --subsystem NAME      only this subsystem; up to 16, an option each (all that the daemon watches)
  --socket PATH         where the daemon serves applications (/run/sureplug/events)
  --direct              open a socket of its own, as `sureplug run` does; so it does where no daemon runs
  -v, --verbose         all properties of each event, on lines of their own
  --json                one JSON object a line

Exit codes: 0 ended by its reader, 2 wrong usage, 3 refused, or the daemon has hung up.
";

const LIST: &str = "\
sureplug list: show the devices that are present, as a tree

Usage: sureplug list [OPTIONS]

  --subsystem NAME      only this subsystem; up to 16, an option each (all that the daemon watches)
  --socket PATH         where the daemon serves applications (/run/sureplug/events)
  --sysfs DIR           where sysfs is (/sys): where no daemon runs, that is read, and said
  --json                one JSON object a line

Exit codes: 0 fine, 2 wrong usage, 3 refused.
";

const SIZE: &str = "\
sureplug size: how large the receive buffer must be, and whether the kernel gives it to this process

Usage: sureplug size [OPTIONS], with all options of `sureplug --help`

Exit codes: 0 it fits, 1 it does not, 2 wrong usage, 3 the system refused.
";

const AUDIT: &str = "\
sureplug audit: every uevent socket of this network namespace, who has it, and a verdict on its buffer

Usage: sureplug audit [OPTIONS]

  --watch               look again each second, until SIGINT or SIGTERM; with drops per second
  and all options of `sureplug --help`

As root it knows all owners. Exit codes: 0 nothing wrong, 1 a buffer below the budget, or drops, 2 wrong
usage, 3 the system refused.
";

const RECORD: &str = "\
sureplug record: the kernel's datagrams, as they come, into a capture in the format of libpcap

Usage: sureplug record FILE [OPTIONS]

  --subsystem NAME      only its events; all if no subsystem is named here
  --max-bytes BYTES     end when the file would become larger, 4096 to 4294967295 (16777216)
  and all options of `sureplug --help`

SIGTERM and SIGINT end it. Exit codes: 0 ended, 1 ended and events were lost, 2 wrong usage, 3 the system
refused, or the disk is full: the file ends with the last whole event.
";

const DECODE: &str = "\
sureplug decode: the events of a capture, with the time in seconds after 1970

Usage: sureplug decode FILE [--json] [-v]

  -v, --verbose         all properties of each event, on lines of their own

Exit codes: 0 all is whole, 1 damaged: all before the damage is shown, 2 wrong usage, 3 the system refused.
";

const MEASURE: &str = "\
sureplug measure: what one device raises when it is plugged and unplugged, and the profile that follows

Usage: sureplug measure [OPTIONS]

  --pcap FILE           from a capture of one plug and one unplug, instead of what happens
  and all options of `sureplug --help`

Exit codes: 0 measured, 1 no plug and unplug were seen, 2 wrong usage, 3 the system refused.
";

const STATUS: &str = "\
sureplug status: how a running daemon is: what it counted, its buffer, its clients, and what happened at each port

Usage: sureplug status [--socket PATH] [--json]

  --socket PATH         where it serves applications (/run/sureplug/events)

Exit codes: 0 it answered, 2 wrong usage, 3 nobody answers.
";
