use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A shell on the board, through a port of its own.
pub struct Shell {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// Begins the line after a command's output.
const END: &str = "@@end@@";

/// How long a command may take, on a board that others' work slows down.
const PATIENCE: Duration = Duration::from_secs(180);

impl Shell {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let writer = stream.try_clone().expect("a descriptor");
        Self { reader: BufReader::new(stream), writer }
    }

    /// Runs a command and returns both of its outputs.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    pub fn run(&mut self, command: &str) -> String {
        let (status, output) = self.try_run(command);
        assert_eq!(status, 0, "{command}: {output}");
        output
    }

    /// Runs a command and returns its exit code and both of its outputs.
    ///
    /// # Panics
    ///
    /// Panics if the board does not answer.
    pub fn try_run(&mut self, command: &str) -> (i32, String) {
        writeln!(self.writer, "{{ {command}\n}} 2>&1; printf '\\n{END}%s\\n' $?").expect("the board listens");
        let mut output = String::new();
        loop {
            let mut line = Vec::new();
            let length = self.reader.read_until(b'\n', &mut line);
            let length = length.unwrap_or_else(|error| panic!("no answer to {command}: {error}: {output}"));
            assert!(length > 0, "the board has ended during {command}: {output}");
            let line = String::from_utf8_lossy(&line);
            if let Some(status) = line.strip_prefix(END) {
                let status = status.trim().parse().expect("an exit code");
                output.truncate(output.trim_end().len());
                return (status, output);
            }
            output.push_str(&line);
        }
    }

    /// Returns a command's output as a number.
    ///
    /// # Panics
    ///
    /// Panics if it fails or prints no number.
    pub fn number(&mut self, command: &str) -> u64 {
        let output = self.run(command);
        output.trim().parse().unwrap_or_else(|error| panic!("{command}: {error}: {output}"))
    }
}
