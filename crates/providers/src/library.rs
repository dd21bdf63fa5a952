//! Shared libraries that are loaded when they are first used, so that Pressroom runs without them.
//!
//! # Safety
//!
//! - Loading runs the initialisers of a library and of those it needs: they are the distribution's packages, found by
//!   their names with the version of their binary interface, or a path that the user set.
//! - The type that a caller gives to [`Library::function`] has to be that of the C declaration; each caller says where it
//!   has it from.
//! - A library is never unloaded, so its functions live as long as the process.
#![expect(unsafe_code, reason = "loads C libraries; the argument is above")]

use std::{mem::ManuallyDrop, path::Path};

/// A loaded library.
#[derive(Debug)]
pub(crate) struct Library {
    handle: ManuallyDrop<libloading::Library>,
}

impl Library {
    /// Loads `name`: a path, or a name that the system's loader looks for in its folders.
    pub(crate) fn load(name: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: the first point above.
        let handle = unsafe { libloading::Library::new(name) }?;
        Ok(Self { handle: ManuallyDrop::new(handle) })
    }

    /// A function of this library or of one that it needs.
    ///
    /// # Safety
    /// `F` is the type of the function's pointer, as C declares it.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &str) -> Result<F, libloading::Error> {
        // SAFETY: the caller's promise; a pointer of a library that is never unloaded stays good.
        unsafe { self.handle.get::<F>(name).map(|symbol| *symbol) }
    }
}
