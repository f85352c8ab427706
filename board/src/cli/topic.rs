/// What a command, or the help, is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Everything, where no command is named; that runs as `run` does.
    Sureplug,
    Run,
    Size,
    Monitor,
    List,
    Status,
    Audit,
    Measure,
    Record,
    Decode,
}

impl Topic {
    /// All that have a command of their own.
    pub(super) const COMMANDS: [Self; 9] = [
        Self::Run,
        Self::Size,
        Self::Monitor,
        Self::List,
        Self::Status,
        Self::Audit,
        Self::Measure,
        Self::Record,
        Self::Decode,
    ];

    /// The command's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sureplug => "sureplug",
            Self::Run => "run",
            Self::Size => "size",
            Self::Monitor => "monitor",
            Self::List => "list",
            Self::Status => "status",
            Self::Audit => "audit",
            Self::Measure => "measure",
            Self::Record => "record",
            Self::Decode => "decode",
        }
    }

    /// Whether it is about a capture.
    pub(super) fn has_file(self) -> bool {
        matches!(self, Self::Record | Self::Decode)
    }
}
