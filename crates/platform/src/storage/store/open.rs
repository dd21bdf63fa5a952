//! Opens the store that an address names, with credentials and endpoints from the variables that each provider's own tools read.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kernel::ErrorKind;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    client::HttpConnector as _,
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    path::Path as Key,
    signer::Signer,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{StoreKind, StoreUrl, client::Connector, metered::Metered, unfinished::PartUploads};
use crate::config::SecretError;

/// Variables of Amazon's own tools, and of the crate for what those keep in files.
const S3_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_IMDSV1_FALLBACK",
    "AWS_CONDITIONAL_PUT",
    "AWS_DISABLE_BULK_DELETE",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
];
const GCS_VARIABLES: &[&str] = &[
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BASE_URL",
    "GOOGLE_SKIP_SIGNATURE",
];
const AZURE_VARIABLES: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_MSI_ENDPOINT",
];

/// How long a connection may take to be made, where the store may take longer than that to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("pressroom/", env!("CARGO_PKG_VERSION"));

/// Looks up a variable, or the file that `NAME_FILE` names, as [`crate::config::secret`] does.
pub type Variables<'a> = &'a (dyn Fn(&str) -> Result<Option<SecretString>, SecretError> + Sync);

/// Which store is opened, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    pub url: StoreUrl,
    /// Certificates, in PEM, that may vouch for the store beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long it may take to answer, and to send or take the next bytes.
    pub timeout: Duration,
}

/// A store that was opened. Nothing was asked of it yet.
#[derive(Debug, Clone)]
pub struct Store {
    pub(in crate::storage) backend: Arc<dyn ObjectStore>,
    /// The same store, where it is a folder of this machine.
    pub(in crate::storage) local: Option<Arc<LocalFileSystem>>,
    /// What every key begins with.
    pub(in crate::storage) prefix: Key,
    /// What makes addresses that open an object for who has them, with headers of ours in the answer.
    pub(in crate::storage) signer: Option<Arc<dyn Signer>>,
    /// What finds uploads in parts that nobody goes on with.
    pub(in crate::storage) part_uploads: Option<PartUploads>,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the store `{url}` cannot be used as it is set: {source}")]
    Setting { url: String, source: object_store::Error },
    #[error("`{value}` in {variable} is no address of a store; one looks like `https://s3.example.org`")]
    Endpoint { variable: &'static str, value: String },
    #[error("the file `{path}` of `storage.ca_file` cannot be used: {reason}")]
    CaFile { path: String, reason: String },
    #[error("the folder `{path}` cannot be used: {source}")]
    Folder { path: String, source: io::Error },
}

impl StoreError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } | Self::Endpoint { .. } => ErrorKind::Invalid,
            Self::Secret(_) | Self::CaFile { .. } | Self::Folder { .. } => ErrorKind::Missing,
        }
    }
}

impl Store {
    /// Opens a store; whether it answers is found out by using it.
    pub fn open(options: &StoreOptions, variables: Variables<'_>) -> Result<Self, StoreError> {
        match &options.url {
            StoreUrl::Folder(folder) => Self::in_folder(folder),
            StoreUrl::Bucket { kind, bucket, prefix } => {
                let bucket = Bucket { options, variables, name: bucket, prefix };
                match kind {
                    StoreKind::S3 => bucket.s3(),
                    StoreKind::Gcs => bucket.gcs(),
                    StoreKind::Azure => bucket.azure(),
                }
            }
        }
    }

    /// A folder, which is made where there is none. What is written is synced before it is seen.
    pub fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        let fault = |source| StoreError::Folder { path: folder.display().to_string(), source };
        fs::create_dir_all(folder).map_err(fault)?;
        let local = LocalFileSystem::new_with_prefix(folder).map_err(|error| fault(error.into()))?;
        let local = Arc::new(local.with_fsync(true));
        Ok(Self { local: Some(local.clone()), ..Self::of(local) })
    }

    /// Any store of the crate's, which is used as it is.
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            backend: Arc::new(Metered::new(store)),
            local: None,
            prefix: Key::default(),
            signer: None,
            part_uploads: None,
        }
    }
}

/// A bucket that is about to be opened.
struct Bucket<'a> {
    options: &'a StoreOptions,
    variables: Variables<'a>,
    name: &'a str,
    prefix: &'a Key,
}

impl Bucket<'_> {
    fn s3(&self) -> Result<Store, StoreError> {
        let mut builder = AmazonS3Builder::new().with_bucket_name(self.name);
        for (name, value) in self.values(S3_VARIABLES)? {
            let key: AmazonS3ConfigKey = self.known(&name)?;
            builder = builder.with_config(key, value.expose_secret());
        }
        let set = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
        let endpoint = set(AmazonS3ConfigKey::S3Endpoint).or_else(|| set(AmazonS3ConfigKey::Endpoint));
        let is_hosted = set(AmazonS3ConfigKey::VirtualHostedStyleRequest).is_some_and(|value| value == "true");
        let endpoint = endpoint.map(|value| endpoint_of("AWS_ENDPOINT_URL", &value)).transpose()?;
        let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
        if let Some(endpoint) = endpoint.filter(|_| is_hosted) {
            let endpoint = self.hosted(endpoint);
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint.as_str().trim_end_matches('/'));
        }
        let client = self.client_options(is_plain)?;
        let builder = builder.with_client_options(client.clone()).with_retry(self.retry());
        let store = Arc::new(builder.with_http_connector(Connector).build().map_err(|error| self.fault(error))?);
        let signer: Arc<dyn Signer> = store.clone();
        let part_uploads = PartUploads::new(signer.clone(), store.clone(), self.client(&client)?);
        Ok(Store { signer: Some(signer), part_uploads: Some(part_uploads), ..self.store(store) })
    }

    fn gcs(&self) -> Result<Store, StoreError> {
        let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(self.name);
        for (name, value) in self.values(GCS_VARIABLES)? {
            let key: GoogleConfigKey = self.known(&name)?;
            builder = builder.with_config(key, value.expose_secret());
        }
        let endpoint = builder.get_config_value(&GoogleConfigKey::BaseUrl);
        let endpoint = endpoint.map(|value| endpoint_of("GOOGLE_BASE_URL", &value)).transpose()?;
        let client = self.client_options(endpoint.is_some_and(|endpoint| endpoint.scheme() == "http"))?;
        let builder = builder.with_client_options(client.clone()).with_retry(self.retry());
        let store = Arc::new(builder.with_http_connector(Connector).build().map_err(|error| self.fault(error))?);
        let signer: Arc<dyn Signer> = store.clone();
        let part_uploads = PartUploads::new(signer.clone(), store.clone(), self.client(&client)?);
        Ok(Store { signer: Some(signer), part_uploads: Some(part_uploads), ..self.store(store) })
    }

    /// Signatures of Azure cannot say what a download is called, so there are none; parts that nobody goes on with are removed by
    /// Azure itself, after a week.
    fn azure(&self) -> Result<Store, StoreError> {
        let mut builder = MicrosoftAzureBuilder::new().with_container_name(self.name);
        for (name, value) in self.values(AZURE_VARIABLES)? {
            let key: AzureConfigKey = self.known(&name)?;
            builder = builder.with_config(key, value.expose_secret());
        }
        let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
        let endpoint = endpoint.map(|value| endpoint_of("AZURE_STORAGE_ENDPOINT", &value)).transpose()?;
        let client = self.client_options(endpoint.is_some_and(|endpoint| endpoint.scheme() == "http"))?;
        let builder = builder.with_client_options(client).with_retry(self.retry());
        let store = builder.with_http_connector(Connector).build().map_err(|error| self.fault(error))?;
        Ok(self.store(Arc::new(store)))
    }

    fn store(&self, store: Arc<dyn ObjectStore>) -> Store {
        Store { prefix: self.prefix.clone(), ..Store::of(store) }
    }

    /// Variables that are set, by their names.
    fn values(&self, names: &[&'static str]) -> Result<Vec<(String, SecretString)>, StoreError> {
        let mut values = Vec::new();
        for name in names {
            if let Some(value) = (self.variables)(name)? {
                values.push((name.to_ascii_lowercase(), value));
            }
        }
        Ok(values)
    }

    fn known<K: std::str::FromStr<Err = object_store::Error>>(&self, name: &str) -> Result<K, StoreError> {
        name.parse().map_err(|error| self.fault(error))
    }

    fn fault(&self, source: object_store::Error) -> StoreError {
        StoreError::Setting { url: self.options.url.to_string(), source }
    }

    /// The endpoint with the bucket in its host, as its own tools would ask it.
    fn hosted(&self, mut endpoint: Url) -> Url {
        let host = endpoint.host_str().map(|host| format!("{}.{host}", self.name));
        // A host that cannot have a name before it, as an address, stays: the store will say so.
        let _ = endpoint.set_host(host.as_deref());
        endpoint
    }

    /// Unencrypted connections are made only where the endpoint asks for them.
    fn client_options(&self, is_plain: bool) -> Result<ClientOptions, StoreError> {
        let timeout = self.options.timeout;
        let mut options = ClientOptions::new()
            .with_user_agent(axum::http::HeaderValue::from_static(USER_AGENT))
            .with_allow_http(is_plain)
            .with_connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .with_read_timeout(timeout)
            // Large objects take as long as they take; each step of them is bounded.
            .with_timeout_disabled();
        if let Some(path) = &self.options.ca_file {
            let fault = |reason: String| StoreError::CaFile { path: path.display().to_string(), reason };
            let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
            let all = Certificate::from_pem_bundle(&pem).map_err(|error| fault(error.to_string()))?;
            if all.is_empty() {
                return Err(fault("there is no certificate in it".to_owned()));
            }
            options = all.into_iter().fold(options, ClientOptions::with_root_certificate);
        }
        Ok(options)
    }

    fn client(&self, options: &ClientOptions) -> Result<object_store::client::HttpClient, StoreError> {
        Connector.connect(options).map_err(|error| self.fault(error))
    }

    /// Tries again for as long as one try may take, so that a request ends within about twice that time.
    fn retry(&self) -> RetryConfig {
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2. };
        RetryConfig { backoff, max_retries: 5, retry_timeout: self.options.timeout }
    }
}

fn endpoint_of(variable: &'static str, value: &str) -> Result<Url, StoreError> {
    let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| StoreError::Endpoint { variable, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, variables: &[(&str, &str)]) -> Result<Store, StoreError> {
        let options = StoreOptions { url: url.parse().unwrap(), ca_file: None, timeout: Duration::from_secs(1) };
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            Ok(found.map(|(_, value)| SecretString::from(value.clone())))
        };
        Store::open(&options, &find)
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "SK")];

    /// The address that opens an object, without its signature.
    async fn place(store: &Store) -> String {
        let signer = store.signer.as_ref().unwrap();
        let key = Key::from("objects/a");
        let mut url = signer.signed_url(axum::http::Method::GET, &key, Duration::from_mins(1)).await.unwrap();
        url.set_query(None);
        url.to_string()
    }

    #[test]
    fn every_variable_is_known_to_the_crate() {
        for name in S3_VARIABLES {
            assert!(name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
        }
        for name in GCS_VARIABLES {
            assert!(name.to_ascii_lowercase().parse::<GoogleConfigKey>().is_ok(), "{name}");
        }
        for name in AZURE_VARIABLES {
            assert!(name.to_ascii_lowercase().parse::<AzureConfigKey>().is_ok(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_bucket_is_asked_where_its_variables_say() {
        let with = |more: &[(&'static str, &'static str)]| open("s3://bucket/p", &[&KEYS, more].concat()).unwrap();
        let region = with(&[("AWS_REGION", "eu-west-3")]);
        assert_eq!(place(&region).await, "https://s3.eu-west-3.amazonaws.com/bucket/objects/a");
        assert_eq!(region.prefix, Key::from("p"));
        let endpoint = with(&[("AWS_ENDPOINT_URL", "http://minio:9000")]);
        assert_eq!(place(&endpoint).await, "http://minio:9000/bucket/objects/a");
        let of_s3 = with(&[("AWS_ENDPOINT_URL", "https://other"), ("AWS_ENDPOINT_URL_S3", "https://r2.example.org")]);
        assert_eq!(place(&of_s3).await, "https://r2.example.org/bucket/objects/a");
        let hosted =
            with(&[("AWS_ENDPOINT_URL", "https://ceph.example.org"), ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")]);
        assert_eq!(place(&hosted).await, "https://bucket.ceph.example.org/objects/a");
    }

    #[test]
    fn what_cannot_be_right_is_named_before_anything_is_asked() {
        let half = open("s3://bucket", &KEYS[..1]).unwrap_err();
        assert!(matches!(half, StoreError::Setting { .. }), "{half}");
        let endpoint = open("s3://bucket", &[("AWS_ENDPOINT_URL", "minio:9000")]).unwrap_err();
        assert!(endpoint.to_string().contains("`minio:9000` in AWS_ENDPOINT_URL"), "{endpoint}");
        let account = open("az://container", &[]).unwrap_err();
        assert!(matches!(account, StoreError::Setting { .. }), "{account}");
        let file = open("gs://bucket", &[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")]).unwrap_err();
        assert!(file.to_string().contains("/nowhere/key.json"), "{file}");
    }

    #[test]
    fn a_file_of_certificates_is_read_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let open = || {
            let url = "s3://bucket".parse().unwrap();
            Store::open(&StoreOptions { url, ca_file: Some(path.clone()), timeout: Duration::from_secs(1) }, &|_| {
                Ok(None)
            })
        };
        assert!(matches!(open().unwrap_err(), StoreError::CaFile { .. }));
        fs::write(&path, "no certificate").unwrap();
        assert!(matches!(open().unwrap_err(), StoreError::CaFile { .. }));
    }
}
