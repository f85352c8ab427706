use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// QEMU's monitor (`docs/interop/qmp-spec`).
pub(crate) struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// A slow console holds the monitor up.
const PATIENCE: Duration = Duration::from_secs(180);

impl Qmp {
    /// Takes the greeting.
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let writer = stream.try_clone().expect("a descriptor");
        let mut qmp = Self { reader: BufReader::new(stream), writer };
        assert!(qmp.read()["QMP"].is_object(), "no greeting");
        qmp.execute("qmp_capabilities", &json!({}));
        qmp
    }

    /// Executes a command and returns its result.
    ///
    /// # Panics
    ///
    /// Panics if QEMU refuses.
    pub(crate) fn execute(&mut self, command: &str, arguments: &Value) -> Value {
        let request = json!({"execute": command, "arguments": arguments}).to_string();
        writeln!(self.writer, "{request}").expect("QEMU listens");
        loop {
            let mut answer = self.read();
            assert!(answer.get("error").is_none(), "{request}: {answer}");
            if let Some(result) = answer.get_mut("return") {
                return result.take();
            }
            // Else it is an event.
        }
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        let length = self.reader.read_line(&mut line).expect("QEMU answers");
        assert!(length > 0, "QEMU has ended");
        serde_json::from_str(&line).expect("QEMU's answers are JSON")
    }
}
