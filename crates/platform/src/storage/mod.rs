//! Files of users: their bytes in an object store, their rows in the database, and uploads that go on where they broke off.
//!
//! A row never names half a file. Bytes are written under a random id that no row names, synced, looked into, and only then
//! named by a row; what no row names a day later is removed. Names that users give are shown to them and are part of no path.

mod check;
mod clamd;
#[cfg(test)]
mod conformance;
mod copy;
mod error;
mod file;
pub mod http;
mod links;
mod local;
mod migrations;
mod object;
mod rekey;
mod seal;
mod service;
mod settings;
mod shelf;
mod store;
mod sweep;
mod table;
mod uploads;
mod writer;

pub use check::{CheckError, ContentCheck, Inspection, ScanError, Verdict, VirusScanner};
pub use clamd::{Clamd, ClamdAddress};
pub use copy::{Copied, copy_objects};
pub use error::StorageError;
pub use file::{File, FileId, FileName, MediaType, NewFile};
pub use links::{Link, LinkError, Links};
pub use local::{LocalCopies, LocalCopy};
pub use migrations::migrations;
pub use object::{ByteStream, Located, NewObjects, ObjectId, Objects};
pub use rekey::{Rekeyed, rekey};
pub use seal::{Seal, SealFault, Seals};
pub use service::{Files, FilesParts};
pub use settings::StorageSettings;
pub use shelf::{Shelf, ShelfLimits};
pub use store::{Store, StoreError, StoreKind, StoreOptions, StoreUrl, StoreUrlError, Variables};
pub use sweep::Swept;
pub use uploads::{Checksum, ChecksumError, Chunk, NewUpload, Upload, UploadId, UploadState};
pub use writer::{ObjectWriter, StoredObject};
