//! libpocketsphinx and the functions of libsphinxbase that go with it, behind safe functions.
//!
//! # Safety
//!
//! - The declarations are those of `pocketsphinx.h`, `cmd_ln.h`, `logmath.h` and `err.h` of 0.8+5prealpha, the only
//!   release with the binary interface 3 that the library's name asks for; later ones have other names.
//! - A decoder is used by one thread at a time: [`Decoder`] is `Send`, not `Sync`, and decodes by `&mut self`. Decoders
//!   share nothing that changes but the library's log, which is turned off before the first is made; they are made one
//!   after the other, under a lock.
//! - Every string given to the library is a `CString` that the decoder keeps as long as it lives. Strings that it returns
//!   are copied before the next call. A null pointer from a maker is an error and never used.
//! - The model's files are read by C code that trusts them: they are a package's or the user's own, never those of a
//!   video's author, and [`Model`] has looked at their beginnings. Samples are bounded by the caller and only read.
//! - The library ends the process when memory runs out, as Rust's own allocator does, and over a model that is damaged
//!   further in.
#![expect(unsafe_code, reason = "calls into C; the argument is above")]

use std::{
    ffi::{CStr, CString, c_char, c_double, c_int, c_void},
    path::{Path, PathBuf},
    ptr::{self, NonNull},
    sync::{Arc, Mutex, PoisonError},
};

use super::model::Model;
use crate::library::Library;

#[cfg(target_os = "macos")]
const LIBRARY: &str = "libpocketsphinx.3.dylib";
#[cfg(not(target_os = "macos"))]
const LIBRARY: &str = "libpocketsphinx.so.3";

type Handle = *mut c_void;

/// The functions of the library.
#[derive(Debug)]
pub(super) struct Api {
    argument_definitions: unsafe extern "C" fn() -> *const c_void,
    parse_arguments: unsafe extern "C" fn(Handle, *const c_void, c_int, *const *const c_char, c_int) -> Handle,
    free_arguments: unsafe extern "C" fn(Handle) -> c_int,
    new_decoder: unsafe extern "C" fn(Handle) -> Handle,
    free_decoder: unsafe extern "C" fn(Handle) -> c_int,
    start_stream: unsafe extern "C" fn(Handle) -> c_int,
    start_utterance: unsafe extern "C" fn(Handle) -> c_int,
    process_raw: unsafe extern "C" fn(Handle, *const i16, usize, c_int, c_int) -> c_int,
    end_utterance: unsafe extern "C" fn(Handle) -> c_int,
    log_table: unsafe extern "C" fn(Handle) -> Handle,
    exponent: unsafe extern "C" fn(Handle, c_int) -> c_double,
    first_segment: unsafe extern "C" fn(Handle) -> Handle,
    next_segment: unsafe extern "C" fn(Handle) -> Handle,
    segment_word: unsafe extern "C" fn(Handle) -> *const c_char,
    segment_frames: unsafe extern "C" fn(Handle, *mut c_int, *mut c_int),
    segment_probability: unsafe extern "C" fn(Handle, *mut c_int, *mut c_int, *mut c_int) -> c_int,
    /// One decoder is made at a time.
    making: Mutex<()>,
}

/// A stretch of an utterance that was heard as one entry of the dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// As in the dictionary: `word`, `word(2)`, `<sil>`, `[NOISE]`.
    pub(super) entry: String,
    pub(super) first_frame: u32,
    /// The last frame of it, not one after.
    pub(super) last_frame: u32,
    /// Posterior probability among all that was thought possible, 0 to 1.
    pub(super) probability: f64,
}

/// One decoder with its model, about 100 MB.
#[derive(Debug)]
pub(super) struct Decoder {
    api: Arc<Api>,
    handle: NonNull<c_void>,
    _arguments: Vec<CString>,
}

// SAFETY: a decoder has no tie to the thread that made it; the second point above.
unsafe impl Send for Decoder {}

impl Api {
    /// Loads the library at `path`, or where the system has it, and turns its log off.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, libloading::Error> {
        let library = Library::load(path.unwrap_or(Path::new(LIBRARY)))?;
        // SAFETY: the types are those of the headers; the log is turned off before anything is logged.
        unsafe {
            let set_log_file: unsafe extern "C" fn(*mut c_void) = library.function("err_set_logfp")?;
            set_log_file(ptr::null_mut());
            Ok(Self {
                argument_definitions: library.function("ps_args")?,
                parse_arguments: library.function("cmd_ln_parse_r")?,
                free_arguments: library.function("cmd_ln_free_r")?,
                new_decoder: library.function("ps_init")?,
                free_decoder: library.function("ps_free")?,
                start_stream: library.function("ps_start_stream")?,
                start_utterance: library.function("ps_start_utt")?,
                process_raw: library.function("ps_process_raw")?,
                end_utterance: library.function("ps_end_utt")?,
                log_table: library.function("ps_get_logmath")?,
                exponent: library.function("logmath_exp")?,
                first_segment: library.function("ps_seg_iter")?,
                next_segment: library.function("ps_seg_next")?,
                segment_word: library.function("ps_seg_word")?,
                segment_frames: library.function("ps_seg_frames")?,
                segment_probability: library.function("ps_seg_prob")?,
                making: Mutex::new(()),
            })
        }
    }
}

impl Decoder {
    /// Loads `model`; `None` when the library refuses it.
    pub(super) fn new(api: Arc<Api>, model: &Model) -> Option<Self> {
        let path = |path: PathBuf| CString::new(path.into_os_string().into_encoded_bytes()).ok();
        let arguments = vec![
            c"pressroom".to_owned(),
            c"-hmm".to_owned(),
            path(model.acoustic())?,
            c"-lm".to_owned(),
            path(model.language())?,
            c"-dict".to_owned(),
            path(model.dictionary())?,
            // The best path through the lattice of words gives the posterior of each.
            c"-bestpath".to_owned(),
            c"yes".to_owned(),
            // Removed frames would be missing in the times of what follows them.
            c"-remove_silence".to_owned(),
            c"no".to_owned(),
        ];
        let pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let alone = api.making.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the definitions are the library's own; `pointers` has as many strings as it says. The decoder keeps
        // the parsed arguments for itself, so ours are given back whatever came of it.
        let handle = unsafe {
            let count = c_int::try_from(pointers.len()).ok()?;
            let parsed =
                (api.parse_arguments)(ptr::null_mut(), (api.argument_definitions)(), count, pointers.as_ptr(), 1);
            if parsed.is_null() {
                return None;
            }
            let handle = (api.new_decoder)(parsed);
            (api.free_arguments)(parsed);
            NonNull::new(handle)?
        };
        drop(alone);
        Some(Self { api, handle, _arguments: arguments })
    }

    /// Decodes one whole utterance at 16 kHz. After `None` the decoder is not to be used again.
    pub(super) fn decode(&mut self, samples: &[i16]) -> Option<Vec<Segment>> {
        let decoder = self.handle.as_ptr();
        // SAFETY: the handle is a live decoder that no other thread uses; `samples` is read up to its length.
        unsafe {
            // A new stream forgets what noise the utterance before had.
            if (self.api.start_stream)(decoder) < 0 || (self.api.start_utterance)(decoder) < 0 {
                return None;
            }
            let processed = (self.api.process_raw)(decoder, samples.as_ptr(), samples.len(), 0, 1);
            let ended = (self.api.end_utterance)(decoder);
            (processed >= 0 && ended >= 0).then(|| self.segments())
        }
    }

    /// # Safety
    /// An utterance was ended and none was started since.
    unsafe fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        // SAFETY: the iterator frees itself when it reaches its end, which this loop always does; the word is a string
        // of the dictionary, copied at once.
        unsafe {
            let logarithms = (self.api.log_table)(self.handle.as_ptr());
            let mut next = (self.api.first_segment)(self.handle.as_ptr());
            while !next.is_null() {
                let (mut first, mut last): (c_int, c_int) = (0, 0);
                (self.api.segment_frames)(next, &raw mut first, &raw mut last);
                let posterior = (self.api.segment_probability)(next, ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
                let word = (self.api.segment_word)(next);
                if !word.is_null() {
                    segments.push(Segment {
                        entry: CStr::from_ptr(word).to_string_lossy().into_owned(),
                        first_frame: u32::try_from(first).unwrap_or(0),
                        last_frame: u32::try_from(last).unwrap_or(0),
                        probability: (self.api.exponent)(logarithms, posterior).clamp(0.0, 1.0),
                    });
                }
                next = (self.api.next_segment)(next);
            }
        }
        segments
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library's maker and is given back once.
        unsafe {
            (self.api.free_decoder)(self.handle.as_ptr());
        }
    }
}
