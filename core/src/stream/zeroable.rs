/// An `Option` whose `Nothing` is all zeros. An empty stream is therefore all zeros, and as a
/// `static` needs neither flash nor a copy.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Zeroable<T> {
    Nothing,
    Just(T),
}

impl<T> Zeroable<T> {
    pub(super) const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }

    pub(super) const fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }

    pub(super) fn take(&mut self) -> Option<T> {
        match core::mem::replace(self, Self::Nothing) {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }
}
