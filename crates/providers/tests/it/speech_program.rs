//! `pressroom-speech`, built for these tests: it is a program of its own, so cargo does not build it with us.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use providers::tts::espeak::{Espeak, Settings};

/// Builds the program once and returns where it is.
#[expect(clippy::disallowed_methods, reason = "cargo builds what is tested; no media process is started")]
pub(crate) fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let status = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "pressroom-speech"]).status().unwrap();
        assert!(status.success(), "pressroom-speech must build; is libespeak-ng-dev installed?");
        // target/debug/deps/it-… → target/debug/pressroom-speech
        let own = std::env::current_exe().unwrap();
        own.parent().unwrap().parent().unwrap().join("pressroom-speech")
    })
    .clone()
}

pub(crate) fn espeak() -> Espeak {
    Espeak::new(&Settings { program: Some(path()), ..Settings::default() })
}
