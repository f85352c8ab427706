//! The kernel's bounds on a uevent, each with its source.

/// Properties of one uevent at most: `UEVENT_NUM_ENVP` in `include/linux/kobject.h`.
pub const MAX_PROPERTIES: usize = 64;

/// Bytes of all properties of one uevent at most, their NULs included: `UEVENT_BUFFER_SIZE` in
/// `include/linux/kobject.h`.
pub const MAX_PROPERTY_BYTES: usize = 2_048;

/// Bytes of the header `action@devpath` at most, its NUL included.
///
/// The kernel has no constant for it. Action and devpath stand a second time among the properties
/// (`kobject_uevent_env` in `lib/kobject_uevent.c`), so the bound of these is one for the header too.
pub const MAX_HEADER_BYTES: usize = MAX_PROPERTY_BYTES;

/// Bytes of one datagram at most: a buffer of this size receives every uevent that the kernel can
/// raise in one piece.
pub const MAX_DATAGRAM_BYTES: usize = MAX_HEADER_BYTES + MAX_PROPERTY_BYTES;

/// Bytes of a subsystem's name at most. The kernel has no limit for it: a bus or class is named by its driver.
pub const MAX_SUBSYSTEM_BYTES: usize = 32;

// Offsets into a datagram are kept as u16.
const _: () = assert!(MAX_DATAGRAM_BYTES <= u16::MAX as usize);
