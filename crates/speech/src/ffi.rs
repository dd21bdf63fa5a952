//! libespeak-ng and the few calls of the C library, behind safe functions.
//!
//! # Safety
//!
//! - The engine is one set of C globals. [`Engine::start`] gives out one value per process (a static flag), and
//!   `speak` takes it mutably, so that no two calls meet. Nothing in this program starts a thread, and synchronous mode
//!   starts none in the library, so [`in_child`] may fork: the child owns a whole copy of a quiescent process.
//! - Every string given to the library is a `CString` that outlives the call; the library keeps no pointer to it.
//! - Pointers that the library returns (voice lists, version) are to its own static or leaked storage; they are copied
//!   before the next call and checked for null.
//! - The callback gets a buffer of `count` samples and a list of events that ends with type 0: both are copied within
//!   the call. It must not unwind: it allocates and copies only, and a panic in an `extern "C"` function aborts.
//! - The layouts below are those of `speak_lib.h`, API revision 12 (eSpeak NG 1.49 to 1.52).
#![expect(unsafe_code, reason = "calls into C; the argument is above")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_short, c_uchar, c_uint, c_void},
    io,
    path::PathBuf,
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Longest sound of one request, in samples: ten minutes at the engine's 22,050 a second. What comes after is not made.
const MAX_SAMPLES: usize = 22_050 * 600;
/// Synthesis into a callback, in the calling thread.
const AUDIO_OUTPUT_SYNCHRONOUS: c_int = 2;
/// Return an error rather than exit the process when the voice data is not found.
const INITIALIZE_DONT_EXIT: c_int = 0x8000;
const CHARS_UTF8: c_uint = 1;
const POSITION_CHARACTER: c_uint = 1;
const EVENT_LIST_END: c_int = 0;
const EVENT_WORD: c_int = 1;
const PARAMETER_RATE: c_int = 1;
const PARAMETER_PITCH: c_int = 3;

#[repr(C)]
struct Event {
    kind: c_int,
    unique_identifier: c_uint,
    text_position: c_int,
    length: c_int,
    audio_position: c_int,
    sample: c_int,
    user_data: *mut c_void,
    id: [c_char; 8],
}

#[repr(C)]
struct Voice {
    name: *const c_char,
    languages: *const c_char,
    identifier: *const c_char,
    gender: c_uchar,
    age: c_uchar,
    variant: c_uchar,
    internal: c_uchar,
    score: c_int,
    spare: *mut c_void,
}

type Callback = extern "C" fn(*const c_short, c_int, *const Event) -> c_int;

#[link(name = "espeak-ng")]
unsafe extern "C" {
    fn espeak_Initialize(output: c_int, buffer_ms: c_int, path: *const c_char, options: c_int) -> c_int;
    fn espeak_SetSynthCallback(callback: Callback);
    fn espeak_ListVoices(specification: *const Voice) -> *const *const Voice;
    fn espeak_SetVoiceByName(name: *const c_char) -> c_int;
    fn espeak_SetParameter(parameter: c_int, value: c_int, relative: c_int) -> c_int;
    fn espeak_Synth(
        text: *const c_void,
        size: usize,
        position: c_uint,
        position_type: c_uint,
        end_position: c_uint,
        flags: c_uint,
        unique_identifier: *mut c_uint,
        user_data: *mut c_void,
    ) -> c_int;
    fn espeak_Info(path: *mut *const c_char) -> *const c_char;
}

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn alarm(seconds: c_uint) -> c_uint;
    fn srand(seed: c_uint);
    #[cfg(target_env = "gnu")]
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// What the engine made of one text.
#[derive(Debug, Default)]
pub(crate) struct Utterance {
    pub(crate) samples: Vec<i16>,
    pub(crate) words: Vec<WordEvent>,
}

/// A word event as the engine gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordEvent {
    /// Characters before the word, counted from one by the engine.
    pub(crate) position: i32,
    /// Characters of the word; 0 where the engine lost track.
    pub(crate) length: i32,
    /// Milliseconds from the first sample.
    pub(crate) ms: i32,
}

/// A voice file of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VoiceFile {
    pub(crate) name: String,
    /// Language tags in lower case with the engine's priority, low is better.
    pub(crate) languages: Vec<(u8, String)>,
    /// Path below the voice folder, such as `gmw/en` or `!v/f3`.
    pub(crate) identifier: String,
    /// 1 is male, 2 is female.
    pub(crate) gender: u8,
}

/// How a text is spoken, in the engine's own units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Voice file and variant: `gmw/en+f3`.
    pub(crate) voice: &'a str,
    /// Words a minute, 80 to 450.
    pub(crate) words_per_minute: i32,
    /// 0 to 100, 50 is the voice's own.
    pub(crate) pitch: i32,
}

/// The one engine of this process.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) sample_rate: u32,
}

static STARTED: AtomicBool = AtomicBool::new(false);
static COLLECTED: Mutex<Utterance> = Mutex::new(Utterance { samples: Vec::new(), words: Vec::new() });

#[expect(clippy::unused_self, reason = "the value proves that the engine runs and that no other call does")]
impl Engine {
    /// Starts the engine with the voice data in its usual place.
    pub(crate) fn start() -> Result<Self, String> {
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err("the engine runs already".to_owned());
        }
        zero_new_memory();
        // SAFETY: first calls into the library; a null path means the usual place; the callback is a plain function.
        let rate = unsafe {
            espeak_SetSynthCallback(collect);
            espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, ptr::null(), INITIALIZE_DONT_EXIT)
        };
        match u32::try_from(rate) {
            Ok(sample_rate) if sample_rate > 0 => Ok(Self { sample_rate }),
            _ => Err("eSpeak NG found no voice data; install the package espeak-ng-data".to_owned()),
        }
    }

    /// The library's version, such as `1.51`.
    pub(crate) fn version(&self) -> String {
        let mut path = ptr::null();
        // SAFETY: the library writes a pointer to its own storage and returns a static string.
        unsafe { text_at(espeak_Info(&raw mut path)) }
    }

    /// The folder of the voice data.
    pub(crate) fn data_folder(&self) -> PathBuf {
        let mut path = ptr::null();
        // SAFETY: as in `version`; the path is a static buffer of the library.
        PathBuf::from(unsafe {
            espeak_Info(&raw mut path);
            text_at(path)
        })
    }

    /// Every voice file but the variants.
    pub(crate) fn voices(&mut self) -> Vec<VoiceFile> {
        let mut voices = Vec::new();
        // SAFETY: the list ends with null; each entry is valid until the next call, which `&mut self` keeps away.
        unsafe {
            let mut next = espeak_ListVoices(ptr::null());
            while !next.is_null() && !(*next).is_null() {
                let voice = &**next;
                voices.push(VoiceFile {
                    name: text_at(voice.name),
                    languages: languages_at(voice.languages),
                    identifier: text_at(voice.identifier),
                    gender: voice.gender,
                });
                next = next.add(1);
            }
        }
        voices
    }

    /// Speaks `text`, which holds no control characters. `Ok(None)` when the voice file is not there.
    pub(crate) fn speak(&mut self, text: &str, manner: Manner<'_>) -> Result<Option<Utterance>, String> {
        let voice = CString::new(manner.voice).map_err(|_| "the voice's name holds a zero byte".to_owned())?;
        let text = CString::new(text).map_err(|_| "the text holds a zero byte".to_owned())?;
        *COLLECTED.lock().unwrap_or_else(PoisonError::into_inner) = Utterance::default();
        // SAFETY: both strings end with zero and outlive the calls; the callback copies what it is given; null pointers
        // mean that no identifier is wanted and no user data is passed.
        let status = unsafe {
            if espeak_SetVoiceByName(voice.as_ptr()) != 0 {
                return Ok(None);
            }
            srand(1);
            espeak_SetParameter(PARAMETER_RATE, manner.words_per_minute, 0);
            espeak_SetParameter(PARAMETER_PITCH, manner.pitch, 0);
            let bytes = text.as_bytes_with_nul();
            let (start, size) = (bytes.as_ptr().cast(), bytes.len());
            espeak_Synth(start, size, 0, POSITION_CHARACTER, 0, CHARS_UTF8, ptr::null_mut(), ptr::null_mut())
        };
        if status != 0 {
            return Err(format!("eSpeak NG refused the text (status {status})"));
        }
        Ok(Some(std::mem::take(&mut *COLLECTED.lock().unwrap_or_else(PoisonError::into_inner))))
    }
}

/// Takes samples and word events from the library; stops it when the sound is too long.
extern "C" fn collect(wave: *const c_short, count: c_int, events: *const Event) -> c_int {
    let mut collected = COLLECTED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the library passes `count` samples, and events up to one of type 0; neither is used after this call.
    unsafe {
        if !wave.is_null() && count > 0 {
            collected.samples.extend_from_slice(std::slice::from_raw_parts(wave, count));
        }
        let mut next = events;
        while !next.is_null() && (*next).kind != EVENT_LIST_END {
            let event = &*next;
            if event.kind == EVENT_WORD {
                let (position, length, ms) = (event.text_position, event.length, event.audio_position);
                collected.words.push(WordEvent { position, length, ms });
            }
            next = next.add(1);
        }
    }
    c_int::from(collected.samples.len() > MAX_SAMPLES)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildEnd {
    /// It did its work.
    Done,
    /// A signal ended it, or its own alarm.
    Killed,
}

/// Runs `work` in a fork of this process and waits for its end. The child is killed after `limit_seconds`, unless it
/// calls [`stop_alarm`] before.
pub(crate) fn in_child(limit_seconds: u32, work: impl FnOnce() -> io::Result<()>) -> io::Result<ChildEnd> {
    // SAFETY: this process has one thread, so the child is a whole process; it leaves by `_exit`, so that no exit
    // handler and no destructor of the parent runs twice.
    let pid = unsafe { fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    if pid == 0 {
        // SAFETY: plain calls; the default action of the alarm ends the process.
        unsafe {
            alarm(limit_seconds);
            let done = work();
            _exit(i32::from(done.is_err()))
        }
    }
    let mut status: c_int = 0;
    // SAFETY: `status` is valid for writing, `pid` is our child.
    while unsafe { waitpid(pid, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    match (status & 0x7f, status >> 8 & 0xff) {
        (0, 0) => Ok(ChildEnd::Done),
        // The child could not write its answer: whoever asked is gone.
        (0, _) => Err(io::ErrorKind::BrokenPipe.into()),
        _ => Ok(ChildEnd::Killed),
    }
}

/// Lets the rest of a child's work take as long as it needs.
pub(crate) fn stop_alarm() {
    // SAFETY: a plain call.
    unsafe {
        alarm(0);
    }
}

/// Makes the allocator hand out zeroed memory. eSpeak NG 1.51 reads some of its memory before it has written it, and
/// what lay there would change the sound.
fn zero_new_memory() {
    #[cfg(target_env = "gnu")]
    {
        const M_PERTURB: c_int = -6;
        // SAFETY: a plain call. New memory is filled with the complement of this byte.
        unsafe {
            mallopt(M_PERTURB, 0xff);
        }
    }
}

/// Copies a C string; null is empty.
///
/// # Safety
/// `text` is null or ends with a zero byte.
unsafe fn text_at(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Copies a language list: a priority byte, then a string, until a zero priority.
///
/// # Safety
/// `list` is null or such a list.
unsafe fn languages_at(list: *const c_char) -> Vec<(u8, String)> {
    let mut languages = Vec::new();
    let mut next = list;
    // SAFETY: the caller's promise; each step moves past one priority and one string with its zero byte.
    unsafe {
        while !next.is_null() && *next != 0 {
            let priority = next.cast::<u8>().read();
            let tag = CStr::from_ptr(next.add(1));
            languages.push((priority, tag.to_string_lossy().to_lowercase()));
            next = next.add(2 + tag.to_bytes().len());
        }
    }
    languages
}
