//! Counts what is asked of a store: requests by operation and outcome, their time, and bytes both ways.

use std::{fmt, ops::Range, sync::Arc, time::Instant};

use async_trait::async_trait;
use axum::body::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use metrics::{counter, describe_counter, describe_histogram, histogram};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};

const REQUESTS: &str = "storage_requests_total";
const SECONDS: &str = "storage_request_duration_seconds";
const BYTES: &str = "storage_bytes_total";

/// A store whose requests are counted.
#[derive(Debug)]
pub(super) struct Metered(Arc<dyn ObjectStore>);

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Metered {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        describe_counter!(REQUESTS, "Requests to the store of files, by operation and outcome");
        describe_histogram!(SECONDS, "Seconds until the store answered, by operation");
        describe_counter!(BYTES, "Bytes of objects sent to the store and received from it");
        Self(store)
    }
}

/// One request, from its beginning.
struct Asked {
    operation: &'static str,
    begun: Instant,
}

impl Asked {
    fn to(operation: &'static str) -> Self {
        Self { operation, begun: Instant::now() }
    }

    /// Counts it, and hands on what came of it.
    fn ended<T>(self, result: Result<T>) -> Result<T> {
        count(self.operation, &result);
        histogram!(SECONDS, "operation" => self.operation).record(self.begun.elapsed().as_secs_f64());
        result
    }
}

fn count<T>(operation: &'static str, result: &Result<T>) {
    let outcome = result.as_ref().err().map_or("ok", outcome);
    counter!(REQUESTS, "operation" => operation, "outcome" => outcome).increment(1);
}

/// That an object is or is not there may be just what was asked.
fn outcome(error: &Error) -> &'static str {
    match error {
        Error::NotFound { .. } => "not_found",
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => "condition",
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => "denied",
        _ => "error",
    }
}

fn count_sent(bytes: usize) {
    counter!(BYTES, "direction" => "sent").increment(bytes as u64);
}

fn count_received(bytes: u64) {
    counter!(BYTES, "direction" => "received").increment(bytes);
}

#[async_trait]
impl ObjectStore for Metered {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (asked, bytes) = (Asked::to("put"), payload.content_length());
        let result = asked.ended(self.0.put_opts(location, payload, options).await)?;
        count_sent(bytes);
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let asked = Asked::to("begin_parts");
        let upload = asked.ended(self.0.put_multipart_opts(location, options).await)?;
        Ok(Box::new(MeteredUpload(upload)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (asked, is_head) = (Asked::to(if options.head { "head" } else { "get" }), options.head);
        let mut result = asked.ended(self.0.get_opts(location, options).await)?;
        if is_head {
            return Ok(result);
        }
        result.payload = match result.payload {
            GetResultPayload::Stream(stream) => {
                let counted = stream.inspect_ok(|bytes: &Bytes| count_received(bytes.len() as u64));
                GetResultPayload::Stream(counted.boxed())
            }
            file @ GetResultPayload::File(..) => {
                let Range { start, end } = result.range;
                count_received(end.saturating_sub(start));
                file
            }
        };
        Ok(result)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // Many may be removed by one request, so that none has a time of its own.
        self.0.delete_stream(locations).inspect(|result| count("delete", result)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut asked = Some(Asked::to("list"));
        // Counted with its first answer; later pages belong to it.
        self.0
            .list(prefix)
            .map(move |meta| match asked.take() {
                Some(asked) => asked.ended(meta),
                None => meta,
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let asked = Asked::to("list");
        asked.ended(self.0.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let asked = Asked::to("copy");
        asked.ended(self.0.copy_opts(from, to, options).await)
    }
}

#[derive(Debug)]
struct MeteredUpload(Box<dyn MultipartUpload>);

#[async_trait]
impl MultipartUpload for MeteredUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (asked, bytes) = (Asked::to("put_part"), payload.content_length());
        let part = self.0.put_part(payload);
        async move {
            asked.ended(part.await)?;
            count_sent(bytes);
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let asked = Asked::to("complete_parts");
        asked.ended(self.0.complete().await)
    }

    async fn abort(&mut self) -> Result<()> {
        let asked = Asked::to("abort_parts");
        asked.ended(self.0.abort().await)
    }
}
