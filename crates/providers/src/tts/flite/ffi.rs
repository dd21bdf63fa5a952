//! libflite and two of its voices, behind safe functions.
//!
//! # Safety
//!
//! - The declarations are those of Flite 2's headers (`flite.h`, `cst_utterance.h`, `cst_item.h`, `cst_wave.h`), whose
//!   binary interface is the 1 in the names of the libraries. Only the beginnings of two structures are read: the
//!   features of an utterance, and a wave up to its samples.
//! - A voice is a C global with a lexicon that voices share, so all of the library is used under one lock of the process.
//! - An utterance belongs to [`Utterance`], which deletes it once. What is read of it (items, strings, the wave) is
//!   copied before that.
//! - Text is a `CString` of printable ASCII with words of a bounded length: see the module `text`, which makes it so. The
//!   library copies it.
//! - The library ends the process where it finds itself wrong, such as without a relation that it is asked for. It is
//!   asked for tokens, which every utterance from text has, and for features along paths, which are 0 where they lead
//!   nowhere.
#![expect(unsafe_code, reason = "calls into C; the argument is above")]

use std::{
    ffi::{CStr, CString, c_char, c_float, c_int, c_uint, c_void},
    path::{Path, PathBuf},
    ptr::{self, NonNull},
    sync::{Mutex, PoisonError},
};

use crate::library::Library;

type Handle = *mut c_void;

unsafe extern "C" {
    fn srand(seed: c_uint);
}

/// One call into any of Flite's libraries at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The functions of the library, and one voice.
#[derive(Debug)]
pub(super) struct Api {
    new_utterance: unsafe extern "C" fn() -> Handle,
    delete_utterance: unsafe extern "C" fn(Handle),
    set_text: unsafe extern "C" fn(Handle, *const c_char) -> c_int,
    set_number: unsafe extern "C" fn(Handle, *const c_char, c_float),
    synthesize: unsafe extern "C" fn(Handle, Handle, unsafe extern "C" fn(Handle) -> Handle) -> Handle,
    synthesize_text: unsafe extern "C" fn(Handle) -> Handle,
    wave: unsafe extern "C" fn(Handle) -> *const Wave,
    relation: unsafe extern "C" fn(Handle, *const c_char) -> Handle,
    first: unsafe extern "C" fn(Handle) -> Handle,
    next: unsafe extern "C" fn(Handle) -> Handle,
    daughter: unsafe extern "C" fn(Handle) -> Handle,
    text_of: unsafe extern "C" fn(Handle, *const c_char) -> *const c_char,
    number_of: unsafe extern "C" fn(Handle, *const c_char) -> c_float,
    voice: NonNull<c_void>,
}

// SAFETY: the voice is a global of the library that every thread may use in its turn; the second point above.
unsafe impl Send for Api {}
// SAFETY: as above; `speak` takes the lock.
unsafe impl Sync for Api {}

/// The beginning of `struct cst_utterance_struct`.
#[repr(C)]
struct UtteranceHead {
    features: Handle,
}

/// The beginning of `struct cst_wave_struct`.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    sample_count: c_int,
    channel_count: c_int,
    samples: *const i16,
}

/// What was made of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spoken {
    pub(super) sample_rate: u32,
    pub(super) samples: Vec<i16>,
    pub(super) tokens: Vec<Token>,
}

/// A run of the text between spaces, without the punctuation around it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    /// When each word that is said for it begins, in seconds: three for `$3.50`, none for what is not said.
    pub(super) word_starts: Vec<f32>,
}

/// An utterance of the library, deleted with this value.
struct Utterance<'a> {
    api: &'a Api,
    handle: NonNull<c_void>,
}

impl Api {
    /// Loads the voice called `voice` (`slt`, `rms`) from `folder`, or from where the system has it.
    pub(super) fn load(voice: &str, folder: Option<&Path>) -> Result<Self, libloading::Error> {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let library = |name: String| {
            let file = if cfg!(target_os = "macos") { format!("{name}.1.dylib") } else { format!("{name}.so.1") };
            Library::load(&folder.map_or_else(|| PathBuf::from(&file), |folder| folder.join(&file)))
        };
        let (engine, voices) = (library("libflite".to_owned())?, library(format!("libflite_cmu_us_{voice}"))?);
        // SAFETY: the types are those of the headers; the library is initialised before a voice is made, and a null
        // folder means the data in the voice's own library.
        unsafe {
            let initialise: unsafe extern "C" fn() -> c_int = engine.function("flite_init")?;
            let register: unsafe extern "C" fn(*const c_char) -> Handle =
                voices.function(&format!("register_cmu_us_{voice}"))?;
            let api = |voice| {
                Ok(Self {
                    new_utterance: engine.function("new_utterance")?,
                    delete_utterance: engine.function("delete_utterance")?,
                    set_text: engine.function("utt_set_input_text")?,
                    set_number: engine.function("feat_set_float")?,
                    synthesize: engine.function("flite_do_synth")?,
                    synthesize_text: engine.function("utt_synth")?,
                    wave: engine.function("utt_wave")?,
                    relation: engine.function("utt_relation")?,
                    first: engine.function("relation_head")?,
                    next: engine.function("item_next")?,
                    daughter: engine.function("item_daughter")?,
                    text_of: engine.function("ffeature_string")?,
                    number_of: engine.function("ffeature_float")?,
                    voice,
                })
            };
            initialise();
            match NonNull::new(register(ptr::null())) {
                Some(voice) => api(voice),
                None => Err(libloading::Error::DlSymUnknown),
            }
        }
    }

    /// Speaks `text`, every sound `stretch` times as long as usual; `None` when the library makes no sound of it.
    pub(super) fn speak(&self, text: &CString, stretch: f32) -> Option<Spoken> {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a new utterance is given a text and a number, whose name is static; synthesis deletes it itself when it fails, so it is
        // ours only when it comes back.
        let utterance = unsafe {
            let handle = NonNull::new((self.new_utterance)())?.as_ptr();
            // The noise of consonants comes from the C library's random numbers.
            srand(1);
            (self.set_text)(handle, text.as_ptr());
            let features = (*handle.cast::<UtteranceHead>()).features;
            (self.set_number)(features, c"duration_stretch".as_ptr(), stretch);
            let spoken = (self.synthesize)(handle, self.voice.as_ptr(), self.synthesize_text);
            Utterance { api: self, handle: NonNull::new(spoken)? }
        };
        let (sample_rate, samples) = utterance.sound()?;
        Some(Spoken { sample_rate, samples, tokens: utterance.tokens() })
    }
}

impl Utterance<'_> {
    /// Samples a second, and the samples.
    fn sound(&self) -> Option<(u32, Vec<i16>)> {
        // SAFETY: the wave belongs to the utterance, has one channel and as many samples as it says; they are copied.
        unsafe {
            let wave = (self.api.wave)(self.handle.as_ptr()).as_ref()?;
            let count = usize::try_from(wave.sample_count).ok()?;
            if wave.samples.is_null() || wave.channel_count != 1 {
                return None;
            }
            Some((u32::try_from(wave.sample_rate).ok()?, std::slice::from_raw_parts(wave.samples, count).to_vec()))
        }
    }

    fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        // SAFETY: every utterance made from text has tokens, and every token a name. A word begins where the sound ends
        // that is before the first of its first syllable. Items live as long as the utterance.
        unsafe {
            let mut token = (self.api.first)((self.api.relation)(self.handle.as_ptr(), c"Token".as_ptr()));
            while !token.is_null() {
                let name = (self.api.text_of)(token, c"name".as_ptr());
                let mut word_starts = Vec::new();
                let mut word = (self.api.daughter)(token);
                while !word.is_null() {
                    const START: &CStr = c"R:SylStructure.daughter1.daughter1.R:Segment.p.end";
                    word_starts.push((self.api.number_of)(word, START.as_ptr()));
                    word = (self.api.next)(word);
                }
                if !name.is_null() {
                    let text = CStr::from_ptr(name).to_string_lossy().into_owned();
                    tokens.push(Token { text, word_starts });
                }
                token = (self.api.next)(token);
            }
        }
        tokens
    }
}

impl Drop for Utterance<'_> {
    fn drop(&mut self) {
        // SAFETY: the utterance is ours and nothing of it is used after this.
        unsafe { (self.api.delete_utterance)(self.handle.as_ptr()) }
    }
}
