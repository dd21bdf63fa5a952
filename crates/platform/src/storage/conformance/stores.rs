//! Each store in turn.

use object_store::{ObjectStoreExt as _, memory::InMemory};

use super::*;
use crate::{
    storage::{ObjectId, StoreOptions},
    testing::{GcsServer, S3Server, TlsFiles},
};

#[tokio::test]
async fn a_folder_does_what_a_store_must() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Store::in_folder(folder.path()).unwrap();
    conforms(&plain(store()), Conditions::Kept).await;
    conforms(&encrypted(store()), Conditions::Kept).await;
}

#[tokio::test]
async fn memory_does_what_a_store_must() {
    conforms(&plain(Store::of(Arc::new(InMemory::new()))), Conditions::Kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_s3_does_what_a_store_must() {
    let server = S3Server::start();
    conforms(&plain(server.store()), Conditions::Ignored).await;
    conforms(&encrypted(server.store_at("/some/prefix")), Conditions::Ignored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_answers_as_google_documents_it_does_what_a_store_must() {
    let server = GcsServer::start().await;
    conforms(&plain(server.store_at("")), Conditions::Kept).await;
    conforms(&encrypted(server.store_at("/some/prefix")), Conditions::Kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Azurite; run `azurite-blob`, make a container, name it in PRESSROOM_TEST_AZURE, such as `az://container`"]
async fn azurite_does_what_a_store_must() {
    let url = std::env::var("PRESSROOM_TEST_AZURE").unwrap().parse().unwrap();
    let options = StoreOptions { url, ca_file: None, timeout: std::time::Duration::from_secs(20) };
    let emulator = |name: &str| Ok((name == "AZURE_STORAGE_USE_EMULATOR").then(|| "true".to_owned().into()));
    let store = || Store::open(&options, &emulator).unwrap();
    conforms(&plain(store()), Conditions::Kept).await;
    conforms(&encrypted(store()), Conditions::Kept).await;
}

#[tokio::test]
async fn what_is_not_ours_is_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let objects = plain(Store::in_folder(folder.path()).unwrap());
    let object = objects.put(b"ours".to_vec()).await.unwrap().object;
    let shard = folder.path().join("objects/ff");
    fs::create_dir_all(&shard).unwrap();
    fs::write(shard.join("notes.txt"), "theirs").unwrap();
    fs::write(shard.join(object.as_uuid().simple().to_string()), "in the wrong folder").unwrap();
    assert_eq!(listed(&objects).await, [object]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prefixes_of_a_bucket_see_nothing_of_each_other() {
    let server = S3Server::start();
    let (one, other) = (plain(server.store_at("/one")), plain(server.store_at("/other")));
    let object = one.put(b"of one".to_vec()).await.unwrap();
    assert_eq!(listed(&one).await, [object.object]);
    assert_eq!(listed(&other).await, []);
    assert!(read(&other, object, 0..6).await.is_err());
}

#[tokio::test]
async fn what_lies_in_the_store_of_an_encrypted_object_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let objects = encrypted(Store::in_folder(folder.path()).unwrap());
    let bytes = b"a secret ".repeat(20_000);
    let stored = objects.put(bytes.clone()).await.unwrap();
    let path = objects.find_path(stored.object).unwrap().unwrap();
    let lies = fs::read(&path).unwrap();
    assert!(lies.len() > bytes.len() && !lies.windows(8).any(|window| window == b"a secret"));
    // Swapped with another object of the same size: told by whom it belongs to.
    let other = objects.put(bytes).await.unwrap();
    fs::copy(objects.find_path(other.object).unwrap().unwrap(), &path).unwrap();
    assert!(matches!(read(&objects, stored, 0..5).await, Err(StorageError::Sealed { .. })));
    // Without the secret there is nothing to be had.
    let without = plain(Store::in_folder(folder.path()).unwrap());
    let refused = read(&without, other, 0..5).await.unwrap_err();
    assert_eq!(refused.kind(), kernel::ErrorKind::Missing, "{refused}");
}

#[tokio::test]
async fn plain_and_encrypted_objects_are_read_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let before = plain(Store::in_folder(folder.path()).unwrap());
    let objects = encrypted(Store::in_folder(folder.path()).unwrap());
    // What a user stores may look like anything, as an encrypted object too: its row says that it is none.
    let sealed = objects.put(b"some bytes".to_vec()).await.unwrap();
    let looks_sealed = fs::read(objects.find_path(sealed.object).unwrap().unwrap()).unwrap();
    let plain = before.put(looks_sealed.clone()).await.unwrap();
    assert_eq!(read(&objects, plain, 0..plain.size_bytes).await.unwrap(), looks_sealed);
    assert_eq!(read(&objects, sealed, 0..10).await.unwrap(), b"some bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_the_dead_are_ended_once_they_are_old() {
    let server = S3Server::start();
    let objects = plain(server.store_at("/prefix"));
    let key = objects.key(ObjectId::new(ids().as_ref()));
    // A process that is killed ends nothing.
    let mut upload = objects.store.backend.put_multipart(&key).await.unwrap();
    upload.put_part(noise(5 * 1024 * 1024).into()).await.unwrap();
    let mut theirs = objects.store.backend.put_multipart(&"prefix/objects/theirs".into()).await.unwrap();
    assert_eq!(objects.remove_unfinished(0).await.unwrap(), 0);
    assert_eq!(objects.remove_unfinished(i64::MAX).await.unwrap(), 1);
    assert_eq!(objects.remove_unfinished(i64::MAX).await.unwrap(), 0);
    assert!(upload.complete().await.is_err());
    theirs.abort().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_writer_that_is_dropped_are_ended() {
    let server = S3Server::start();
    let objects = plain(server.store());
    let mut writer = objects.writer(1_000_000_000).unwrap();
    writer.write(&noise(11 * 1024 * 1024)).await.unwrap();
    let uploads = objects.store.part_uploads.clone().unwrap();
    let count = async || uploads.list(&objects.folder_key()).await.unwrap().len();
    assert_eq!(count().await, 1);
    drop(writer);
    let begun = std::time::Instant::now();
    while count().await > 0 {
        assert!(begun.elapsed().as_secs() < 30, "the upload was not ended");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_over_tls_is_believed_only_with_a_certificate_that_is_vouched_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start_tls(certificates(folder.path()));
    let objects = plain(server.store());
    let stored = objects.put(b"some bytes".to_vec()).await.unwrap();
    assert_eq!(read(&objects, stored, 0..10).await.unwrap(), b"some bytes");
    let unknown = StoreOptions { ca_file: None, ..server.options("") };
    let unknown = plain(Store::open(&unknown, &server.variables()).unwrap());
    assert!(unknown.ping().await.is_err());
}

/// A certificate for `localhost`, by an authority of the test's own.
fn certificates(folder: &std::path::Path) -> TlsFiles {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let files =
        TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem"), ca: folder.join("ca.pem") };
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    fs::write(&files.ca, params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}
