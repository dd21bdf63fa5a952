//! What the gateway must know after it was killed: which generation serves, how many instances are wanted, and which processes
//! are its own. One gateway at a time holds the folder.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use kernel::ErrorKind;
use serde::{Deserialize, Serialize};

use super::{
    proc::{self, Identity},
    program::{Program, ProgramError},
};

/// The form of the file. One of another form is not read: its instances are ended, and new ones started.
const FORM: u32 = 1;
/// A file larger than this is none of ours.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Instances of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) program: Program,
}

/// How many instances there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// As many as the load asks for.
    Auto,
    /// So many.
    Fixed(usize),
}

/// An instance that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) address: SocketAddr,
    pub(super) identity: Identity,
}

/// All that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    form: u32,
    /// The program that the settings name.
    configured: PathBuf,
    /// Which run of the machine the processes belong to.
    pub(super) boot_id: String,
    /// The last generation that was found good.
    pub(super) serving: Generation,
    pub(super) previous: Option<Generation>,
    /// The last number that was given to a generation.
    pub(super) last_generation: u64,
    /// The last number that was given to an instance.
    pub(super) last_instance: u64,
    pub(super) scale: Scale,
    /// How many instances the load asked for last.
    pub(super) wanted: usize,
    pub(super) instances: Vec<Started>,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the folder `{folder}` cannot be used: {source}; name another as `instances.state`")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("another gateway holds the folder `{0}`; stop it, or name another folder as `instances.state`")]
    Held(PathBuf),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl StateError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Folder { .. } => ErrorKind::Missing,
            Self::Held(_) => ErrorKind::Conflict,
            Self::Program(_) => ErrorKind::Invalid,
        }
    }
}

/// The folder, held until this is dropped or the process ends.
#[derive(Debug)]
pub(super) struct StateFolder {
    folder: PathBuf,
    _lock: File,
}

impl Saved {
    /// The first generation, of which nothing was started.
    pub(super) fn first(program: Program, boot_id: String, wanted: usize) -> Self {
        let configured = program.path.clone();
        let serving = Generation { number: 1, program };
        let (previous, scale) = (None, Scale::Auto);
        let instances = Vec::new();
        Self {
            form: FORM,
            configured,
            boot_id,
            serving,
            previous,
            last_generation: 1,
            last_instance: 0,
            scale,
            wanted,
            instances,
        }
    }
}

impl Saved {
    /// Whether an instance of the generation that serves lives.
    pub(super) fn lives(&self) -> bool {
        let lives = |started: &Started| {
            let is_it = proc::stat(started.identity.pid).is_some_and(|stat| stat.identity == started.identity);
            is_it && started.generation == self.serving.number
        };
        self.boot_id == proc::boot_id() && self.instances.iter().any(lives)
    }

    /// Nothing of it lives: what is started next is what the files are now, and what the settings name where they changed.
    pub(super) fn renew(&mut self, configured: &Path) -> Result<(), ProgramError> {
        let again = Program::take(&self.serving.program.path);
        if self.configured == configured && (again.is_ok() || self.serving.program.path == configured) {
            self.serving.program = again?;
            return Ok(());
        }
        self.last_generation += 1;
        let generation = Generation { number: self.last_generation, program: Program::take(configured)? };
        self.previous = Some(std::mem::replace(&mut self.serving, generation));
        configured.clone_into(&mut self.configured);
        Ok(())
    }
}

impl StateFolder {
    /// Makes the folder, for its owner alone, and holds it.
    pub(super) fn hold(folder: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Folder { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
        let lock = private().open(folder.join("lock")).map_err(failed)?;
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Held(folder.to_owned())),
            Err(error) => Err(failed(error.into())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// What was kept; nothing where there is nothing that can be read.
    pub(super) fn load(&self) -> Option<Saved> {
        let path = self.file();
        let text = match fs::metadata(&path) {
            Ok(found) if found.len() <= MAX_FILE_BYTES => fs::read(&path).ok()?,
            Ok(_) => Vec::new(),
            Err(_) => return None,
        };
        let saved = serde_json::from_slice::<Saved>(&text).ok().filter(|saved| saved.form == FORM);
        if saved.is_none() {
            tracing::warn!(file = %path.display(), "the state of the gateway before cannot be read; it begins anew");
        }
        saved
    }

    /// Keeps it: whole, or not at all.
    pub(super) fn save(&self, saved: &Saved) -> io::Result<()> {
        let aside = self.folder.join("state.json.new");
        let mut file = private().truncate(true).open(&aside)?;
        file.write_all(&serde_json::to_vec(saved)?)?;
        file.sync_all()?;
        fs::rename(aside, self.file())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("state.json")
    }
}

/// Opens a file for writing that its owner alone may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        let program = Program::take(Path::new("/bin/sh")).unwrap();
        let identity = Identity { pid: 7, started_ticks: 8 };
        let address = "127.0.0.1:9".parse().unwrap();
        let instances = vec![Started { name: "g1-1".to_owned(), generation: 1, address, identity }];
        Saved { instances, scale: Scale::Fixed(3), ..Saved::first(program, "boot".to_owned(), 2) }
    }

    #[test]
    fn what_is_kept_is_read_again_and_the_folder_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway");
        let state = StateFolder::hold(&path).unwrap();
        assert_eq!(state.load(), None);
        state.save(&saved()).unwrap();
        assert_eq!(state.load(), Some(saved()));
        assert!(matches!(StateFolder::hold(&path), Err(StateError::Held(_))));
        drop(state);
        assert_eq!(StateFolder::hold(&path).unwrap().load(), Some(saved()));
        assert_eq!(fs::metadata(path.join("state.json")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_gateway_that_begins_anew_takes_programs_as_they_are_and_what_its_settings_name() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (old, new) = (program("old", "one"), program("new", "one"));
        let mut saved = Saved::first(Program::take(&old).unwrap(), String::new(), 2);
        program("old", "changed");
        assert!(!saved.serving.program.is_unchanged());
        saved.renew(&old).unwrap();
        assert!(saved.serving.program.is_unchanged());
        assert_eq!((saved.serving.number, &saved.previous), (1, &None));
        saved.renew(&new).unwrap();
        assert_eq!((saved.serving.number, &saved.serving.program.path), (2, &new));
        assert_eq!(saved.previous.as_ref().map(|generation| generation.number), Some(1));
        // One that was deployed and is gone gives way to what the settings name.
        saved.serving.program = Program::take(&old).unwrap();
        fs::remove_file(&old).unwrap();
        saved.renew(&new).unwrap();
        assert_eq!((saved.serving.number, &saved.serving.program.path), (3, &new));
        fs::remove_file(&new).unwrap();
        assert!(saved.renew(&new).is_err());
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::hold(folder.path()).unwrap();
        for text in ["", "{}", "not json", r#"{"form": 2}"#] {
            fs::write(state.file(), text).unwrap();
            assert_eq!(state.load(), None, "{text}");
        }
        state.save(&Saved { form: 2, ..saved() }).unwrap();
        assert_eq!(state.load(), None);
    }
}
