//! Models in memory: each is loaded by the first who needs it, once however many need it, shared by all of them, and given
//! up, the least recently used first, when the process takes too much memory.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use platform::resources;

use super::{FAMILIES, Family, Loaded, Model, ModelError};

/// The share of the limit above which models that nobody uses are given up.
const FULL: f64 = 0.85;

/// How much memory this process takes, in bytes; `None` where the system does not say.
pub type Gauge = fn() -> Option<u64>;

/// The models that are loaded. Clones share them.
#[derive(Clone)]
pub struct ModelPool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    families: &'static [Family],
    limit_bytes: u64,
    gauge: Gauge,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// By what tells one state of a model from another.
    by_key: BTreeMap<String, Arc<Place>>,
    /// Counts uses; a later use has a greater number.
    uses: u64,
}

/// Where one model is, or will be when whoever loads it is done.
#[derive(Default)]
struct Place {
    /// Locked while it is loaded.
    loaded: Mutex<Option<Loaded>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: usize,
    last_use: u64,
}

/// A model in use: it stays in memory until this is dropped.
#[derive(Debug)]
pub struct Lease<T> {
    // Dropped first, so that the model is gone when the pool gives it up.
    model: Arc<T>,
    _use: Use,
}

/// Counts a place as used for as long as it lives.
struct Use {
    place: Arc<Place>,
    shelf: Arc<Shelf>,
}

impl ModelPool {
    /// A pool that gives up models when the process takes more than 0.85 of `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Self {
        Self::with_gauge(limit_bytes, resources::resident_bytes, FAMILIES)
    }

    /// A pool with its own measure of memory and its own families.
    pub fn with_gauge(limit_bytes: u64, gauge: Gauge, families: &'static [Family]) -> Self {
        Self { shelf: Arc::new(Shelf { families, limit_bytes, gauge, places: Mutex::default() }) }
    }

    /// The model, loaded now unless it was before. Blocks while it is loaded, by this call or another.
    ///
    /// `T` is the type that the family's loader gives; another is a fault of Pressroom.
    pub fn lease<T: Any + Send + Sync>(&self, model: &Model) -> Result<Lease<T>, ModelError> {
        let place = self.shelf.take_place(&key(model));
        let used = Use { place: Arc::clone(&place), shelf: Arc::clone(&self.shelf) };
        let loaded = {
            let mut loaded = lock(&place.loaded);
            if let Some(loaded) = loaded.as_ref() {
                Arc::clone(loaded)
            } else {
                self.shelf.make_room(model.manifest.size_bytes());
                Arc::clone(loaded.insert(load(self.shelf.families, model)?))
            }
        };
        self.shelf.make_room(0);
        let model = loaded.downcast().map_err(|_| {
            let family = &model.manifest.family;
            ModelError::Stopped(format!("a model of family {family} is not of the type that its engine expects"))
        })?;
        Ok(Lease { model, _use: used })
    }

    /// How many models are loaded now.
    pub fn loaded(&self) -> usize {
        let places: Vec<_> = lock(&self.shelf.places).by_key.values().cloned().collect();
        // One that is being loaded is not loaded yet.
        places.iter().filter(|place| place.loaded.try_lock().is_ok_and(|loaded| loaded.is_some())).count()
    }
}

/// Loads a model with the loader of its family.
pub(super) fn load(families: &'static [Family], model: &Model) -> Result<Loaded, ModelError> {
    let name = model.manifest.name.to_string();
    let Some(family) = families.iter().find(|family| family.name == model.manifest.family) else {
        let reason = format!("its family `{}` is not known to this version", model.manifest.family);
        return Err(ModelError::NotLoaded { name, reason });
    };
    let loader = family.loader.ok_or(ModelError::NotBuilt { family: family.name })?;
    loader(model).map_err(|reason| ModelError::NotLoaded { name, reason })
}

/// A model of the same name but other files is another model.
fn key(model: &Model) -> String {
    format!("{} {} {}", model.manifest.name, model.manifest.fingerprint(), model.folder.display())
}

impl Shelf {
    fn take_place(&self, key: &str) -> Arc<Place> {
        let mut places = lock(&self.places);
        places.uses += 1;
        let last_use = places.uses;
        let place = Arc::clone(places.by_key.entry(key.to_owned()).or_default());
        let mut state = lock(&place.state);
        state.users += 1;
        state.last_use = last_use;
        drop(state);
        place
    }

    /// Gives up models that nobody uses until there is room for `coming_bytes` more, or nothing left to give up.
    fn make_room(&self, coming_bytes: u64) {
        let full_bytes = (self.limit_bytes as f64 * FULL) as u64;
        while (self.gauge)().is_some_and(|taken| taken.saturating_add(coming_bytes) > full_bytes) {
            let Some(given_up) = self.remove_oldest() else { return };
            // Freed here, without the lock: it may take a while.
            drop(given_up);
        }
    }

    /// Takes the least recently used of the models that nobody uses out of the pool. The last one used stays: whoever used
    /// it is most likely between two pieces of work, and would load it again.
    fn remove_oldest(&self) -> Option<Arc<Place>> {
        let mut places = lock(&self.places);
        let idle = places.by_key.iter().filter_map(|(key, place)| {
            let state = lock(&place.state);
            (state.users == 0 && state.last_use < places.uses).then(|| (state.last_use, key.clone()))
        });
        let (_, key) = idle.min()?;
        places.by_key.remove(&key)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        lock(&self.place.state).users -= 1;
        self.shelf.make_room(0);
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.model
    }
}

impl fmt::Debug for ModelPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = lock(&self.shelf.places).by_key.keys().cloned().collect();
        f.debug_struct("ModelPool").field("limit_bytes", &self.shelf.limit_bytes).field("models", &keys).finish()
    }
}

impl fmt::Debug for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Use").finish_non_exhaustive()
    }
}

/// What a panicking holder leaves is whole: every change under these locks is a single one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::models::{
        Kind,
        manifest::{Manifest, ModelFile, Schema},
    };

    const MODEL_BYTES: u64 = 100;
    const LIMIT_BYTES: u64 = 300;

    /// A model that counts those like it: how many are in memory, and how many were loaded at all.
    #[derive(Debug)]
    struct Counted(&'static Counts);

    #[derive(Debug)]
    struct Counts {
        living: AtomicUsize,
        loaded: AtomicUsize,
    }

    impl Counted {
        fn load(counts: &'static Counts) -> Loaded {
            // Long enough for others to come meanwhile.
            thread::sleep(Duration::from_millis(20));
            counts.living.fetch_add(1, Ordering::SeqCst);
            counts.loaded.fetch_add(1, Ordering::SeqCst);
            Arc::new(Self(counts))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.living.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A pool of a family of its own, since tests run at the same time, whose gauge counts its models.
    macro_rules! pool {
        () => {{
            static COUNTS: Counts = Counts { living: AtomicUsize::new(0), loaded: AtomicUsize::new(0) };
            static FAMILIES: &[Family] = &[Family {
                name: "counted",
                kind: Kind::Transcription,
                files: &[],
                layout: "",
                options: &[],
                licence_note: None,
                recognises: |_| true,
                loader: Some(|model| match model.manifest.name.as_str() {
                    "broken" => Err("it is broken".to_owned()),
                    _ => Ok(Counted::load(&COUNTS)),
                }),
            }];
            let gauge = || Some(COUNTS.living.load(Ordering::SeqCst) as u64 * MODEL_BYTES);
            (ModelPool::with_gauge(LIMIT_BYTES, gauge, FAMILIES), &COUNTS)
        }};
    }

    fn model(name: &str) -> Model {
        let file = ModelFile { name: "model.bin".to_owned(), size_bytes: MODEL_BYTES, blake3: name.to_owned() };
        let manifest = Manifest {
            schema: Schema::V1,
            name: name.parse().unwrap(),
            kind: Kind::Transcription,
            family: "counted".to_owned(),
            files: vec![file],
            options: BTreeMap::new(),
            licence: None,
            source: String::new(),
            added_ms: 0,
            verified_ms: 0,
        };
        Model { manifest, folder: PathBuf::from(name) }
    }

    #[test]
    fn a_model_is_loaded_once_however_many_need_it_at_a_time() {
        let (pool, counts) = pool!();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| drop(pool.lease::<Counted>(&model("a")).unwrap()));
            }
        });
        assert_eq!((counts.loaded.load(Ordering::SeqCst), pool.loaded()), (1, 1));
        drop(pool);
        assert_eq!(counts.living.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn the_least_recently_used_is_given_up_when_memory_is_full() {
        let (pool, counts) = pool!();
        for name in ["a", "b", "a", "c"] {
            drop(pool.lease::<Counted>(&model(name)).unwrap());
        }
        // 0.85 of the limit is room for two.
        assert_eq!((pool.loaded(), counts.loaded.load(Ordering::SeqCst)), (2, 3));
        drop(pool.lease::<Counted>(&model("a")).unwrap());
        assert_eq!(counts.loaded.load(Ordering::SeqCst), 3, "`a` was used after `b`");
        drop(pool.lease::<Counted>(&model("b")).unwrap());
        assert_eq!(counts.loaded.load(Ordering::SeqCst), 4, "`b` was given up");
    }

    #[test]
    fn a_model_in_use_is_never_given_up_and_leaves_when_it_is_not_the_last_used() {
        let (pool, counts) = pool!();
        let leases: Vec<_> = ["a", "b", "c"].map(|name| pool.lease::<Counted>(&model(name)).unwrap()).into();
        assert_eq!(counts.living.load(Ordering::SeqCst), 3, "all are in use, whatever the limit");
        drop(leases);
        assert_eq!(counts.living.load(Ordering::SeqCst), 2);
        let again = pool.lease::<Counted>(&model("c")).unwrap();
        assert_eq!(again.0.loaded.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_model_that_cannot_be_loaded_is_an_error_each_time_and_takes_no_place() {
        let (pool, counts) = pool!();
        for _ in 0..2 {
            let error = pool.lease::<Counted>(&model("broken")).unwrap_err();
            assert_eq!(error.to_string(), "model `broken` cannot be loaded: it is broken");
        }
        assert_eq!((pool.loaded(), counts.loaded.load(Ordering::SeqCst)), (0, 0));
        assert!(matches!(pool.lease::<String>(&model("a")), Err(ModelError::Stopped(_))));
    }
}
