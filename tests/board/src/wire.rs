//! What an event that the daemon told in JSON was in the socket.

use serde_json::Value;
use sureplug_core::rcvbuf::SkbAbi;

/// Bytes of the datagram: `action@devpath`, then each `KEY=VALUE`, a NUL behind each. `None` if the kernel did not
/// send it.
///
/// # Panics
///
/// If it is no event.
#[must_use]
pub fn datagram_bytes(event: &Value) -> Option<u32> {
    let properties = event["properties"].as_object().expect("properties");
    if properties.get("SUREPLUG_ORIGIN").is_none_or(|origin| origin != "kernel") {
        return None;
    }
    let text = |key: &str| properties.get(key).and_then(Value::as_str).expect("a text");
    let header = text("ACTION").len() + 1 + text("DEVPATH").len() + 1;
    let kernels = properties.iter().filter(|(key, _)| !key.starts_with("SUREPLUG_"));
    let sum: usize =
        kernels.map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len() + 2).sum();
    u32::try_from(header + sum).ok()
}

/// What the events charged the socket's buffer, by the model.
#[must_use]
pub fn charge(events: &[Value], abi: SkbAbi) -> u64 {
    events.iter().filter_map(datagram_bytes).map(|bytes| u64::from(abi.truesize(bytes))).sum()
}
