use sureplug_core::stream::Scope;

/// One event as the socket holds it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its bytes.
    pub datagram: Vec<u8>,
    /// Whether its device is in sysfs.
    pub scope: Scope,
}

/// A datagram with that action, devpath and `KEY=value` pairs.
#[must_use]
pub fn uevent(action: &str, devpath: &str, properties: &[(&str, &str)]) -> Vec<u8> {
    let mut datagram = format!("{action}@{devpath}\0ACTION={action}\0DEVPATH={devpath}\0");
    for (key, value) in properties {
        datagram.extend([key, "=", value, "\0"]);
    }
    datagram.into_bytes()
}
