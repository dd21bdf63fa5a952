//! A store that does what a test fears: it is slow, fails now and then, or is full.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    client::{HttpError, HttpErrorKind},
    path::Path,
};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Each call takes so long.
    Slow(Duration),
    /// Each call whose number divides by this fails as a connection that was cut.
    EveryNth(u64),
    /// Nothing can be written.
    Full,
}

/// Another store with a fault.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    store: Arc<dyn ObjectStore>,
    gate: Gate,
}

#[derive(Debug, Clone)]
struct Gate {
    fault: Fault,
    calls: Arc<AtomicU64>,
}

impl FaultyStore {
    pub fn new(store: Arc<dyn ObjectStore>, fault: Fault) -> Self {
        Self { store, gate: Gate { fault, calls: Arc::default() } }
    }

    /// How often it was called.
    pub fn calls(&self) -> u64 {
        self.gate.calls.load(Ordering::Relaxed)
    }
}

impl Gate {
    async fn pass(&self) -> Result<()> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fault {
            Fault::Slow(wait) => tokio::time::sleep(wait).await,
            Fault::EveryNth(nth) if number.is_multiple_of(nth) => {
                let cut = io::Error::from(io::ErrorKind::ConnectionReset);
                return Err(failure(HttpError::new(HttpErrorKind::Interrupted, cut)));
            }
            Fault::EveryNth(_) | Fault::Full => {}
        }
        Ok(())
    }

    async fn pass_to_write(&self) -> Result<()> {
        self.pass().await?;
        if self.fault == Fault::Full { Err(failure(io::Error::from(io::ErrorKind::StorageFull))) } else { Ok(()) }
    }
}

fn failure(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: "faulty", source: Box::new(source) }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with a fault", self.store)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.gate.pass_to_write().await?;
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.gate.pass().await?;
        let upload = self.store.put_multipart_opts(location, options).await?;
        Ok(Box::new(FaultyUpload { upload, gate: self.gate.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.gate.pass().await?;
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let gate = self.gate.clone();
        let passed = locations.then(move |location| {
            let gate = gate.clone();
            async move {
                gate.pass().await?;
                location
            }
        });
        self.store.delete_stream(passed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.gate.pass().await?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.gate.pass_to_write().await?;
        self.store.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    gate: Gate,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (part, gate) = (self.upload.put_part(payload), self.gate.clone());
        async move {
            gate.pass_to_write().await?;
            part.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.gate.pass_to_write().await?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
