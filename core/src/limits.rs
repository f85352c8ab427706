//! The kernel's bounds on a uevent, each with its source.

/// The most properties that a uevent can have: `UEVENT_NUM_ENVP` in `include/linux/kobject.h`.
pub const MAX_PROPERTIES: usize = 64;

/// The most bytes that the properties of a uevent can have, their NULs included:
/// `UEVENT_BUFFER_SIZE` in `include/linux/kobject.h`.
pub const MAX_PROPERTY_BYTES: usize = 2_048;

/// The most bytes that the header `action@devpath` can have, its NUL included.
///
/// The kernel has no constant for it. It repeats action and devpath among the properties
/// (`kobject_uevent_env` in `lib/kobject_uevent.c`), so the bound of the properties bounds the
/// header too.
pub const MAX_HEADER_BYTES: usize = MAX_PROPERTY_BYTES;

/// The most bytes that a datagram can have: a buffer of this size receives every uevent of the
/// kernel whole.
pub const MAX_DATAGRAM_BYTES: usize = MAX_HEADER_BYTES + MAX_PROPERTY_BYTES;

/// The most bytes of a subsystem's name that are supported. The kernel has no such limit: drivers
/// name buses and classes.
pub const MAX_SUBSYSTEM_BYTES: usize = 32;

// Offsets into a datagram are stored as `u16`.
const _: () = assert!(MAX_DATAGRAM_BYTES <= u16::MAX as usize);
