//! The catalogue of models, with a family whose models are texts.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use kernel::{ErrorKind, FixedClock};
use platform::http::{AddressPolicy, HttpClient};
use providers::models::{Addition, Catalogue, Family, Kind, Model, ModelError, Phase, Progress, Watch};
use tempfile::TempDir;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

/// Models of a text that begins with `good`, and a family that this build cannot load.
static FAMILIES: &[Family] = &[
    Family {
        name: "text",
        kind: Kind::Translation,
        files: &["words.txt", "*.note"],
        layout: "words.txt",
        options: &[("accent", "how it speaks")],
        licence_note: None,
        recognises: |contents| contents.has("words.txt") && contents.mentions("words.txt", "words"),
        loader: Some(|model| match fs::read_to_string(model.folder.join("words.txt")) {
            Ok(text) if text.starts_with("good") => Ok(Arc::new(text)),
            Ok(text) => Err(format!("it begins with `{}`", &text[..3])),
            Err(error) => Err(error.to_string()),
        }),
    },
    Family {
        name: "elsewhere",
        kind: Kind::Separation,
        files: &["far.txt"],
        layout: "far.txt",
        options: &[],
        licence_note: None,
        recognises: |contents| contents.has("far.txt"),
        loader: None,
    },
];

struct Bench {
    folder: TempDir,
    catalogue: Catalogue,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock(1000));
        Self { catalogue: Catalogue::with_families(&folder.path().join("data"), clock, FAMILIES), folder }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    async fn add(&self, source: &Path) -> Result<Model, ModelError> {
        self.add_as(Addition { source: source.to_str().unwrap().to_owned(), ..Addition::default() }).await
    }

    async fn add_as(&self, addition: Addition) -> Result<Model, ModelError> {
        let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
        self.catalogue.add(addition, &client, quiet()).await
    }

    /// Everything in the folder of models but its lock.
    fn left(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("data/models")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }
}

fn quiet() -> Watch {
    Arc::new(|_| {})
}

#[tokio::test]
async fn a_folder_becomes_a_model_with_the_files_of_its_family_alone() {
    let bench = Bench::new();
    bench.write("My Words/words.txt", "good words");
    bench.write("My Words/a.note", "a note");
    bench.write("My Words/README.md", "---\ntags: [a]\nlicense: cc-by-4.0\n---\n# A model\n");
    bench.write("My Words/huge.iso", "not of the model");
    let model = bench.add(&bench.folder.path().join("My Words")).await.unwrap();
    let manifest = &model.manifest;
    assert_eq!(
        (manifest.name.as_str(), manifest.kind, manifest.family.as_str()),
        ("my-words", Kind::Translation, "text")
    );
    assert_eq!(manifest.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.note", "words.txt"]);
    assert_eq!((manifest.licence.as_deref(), manifest.size_bytes()), (Some("cc-by-4.0"), 16));
    assert_eq!(bench.left(), ["my-words"]);
    let listed = bench.catalogue.list().unwrap();
    assert_eq!(listed[0].model.as_ref().unwrap(), &model);
    assert_eq!(bench.catalogue.usable(Kind::Translation).unwrap(), [model]);
    assert!(bench.catalogue.usable(Kind::Separation).unwrap().is_empty());
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_says_why_and_leaves_nothing() {
    let bench = Bench::new();
    bench.write("bad/words.txt", "bad words");
    let error = bench.add(&bench.folder.path().join("bad")).await.unwrap_err();
    assert_eq!(error.to_string(), "model `bad` cannot be loaded: it begins with `bad`");
    assert!(bench.left().is_empty(), "{:?}", bench.left());
}

#[tokio::test]
async fn what_is_no_model_is_told_with_the_families_there_are() {
    let bench = Bench::new();
    let path = bench.write("talk.mp4", "a film");
    let error = bench.add(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("the file `talk.mp4`")
            && error.to_string().contains("text (translation: words.txt)")
    );
    let missing = bench.add(Path::new("/nowhere/at/all")).await.unwrap_err().to_string();
    assert!(missing.contains("`/nowhere/at/all` cannot be added"), "{missing}");
    bench.write("far/far.txt", "");
    let error = bench.add(&bench.folder.path().join("far")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
    assert!(error.to_string().contains("--features local-models"), "{error}");
    assert!(bench.left().is_empty());
}

#[tokio::test]
async fn who_says_the_family_is_believed_and_options_are_checked() {
    let bench = Bench::new();
    bench.write("odd/words.txt", "good but unusual");
    let source = bench.folder.path().join("odd").to_str().unwrap().to_owned();
    let plain = Addition { source, ..Addition::default() };
    assert!(bench.add_as(plain.clone()).await.is_err());
    let said = Addition { family: Some("text".to_owned()), ..plain };
    let mut unknown = said.clone();
    unknown.options.insert("tempo".to_owned(), "1".to_owned());
    let error = bench.add_as(unknown).await.unwrap_err().to_string();
    assert_eq!(error, "option `tempo` of family text is not known; known is `accent`");
    let mut accented = said.clone();
    accented.options.insert("accent".to_owned(), "broad".to_owned());
    let model = bench.add_as(accented).await.unwrap();
    assert_eq!(model.manifest.options["accent"], "broad");
    let wrong_kind = Addition { kind: Some(Kind::Separation), ..said };
    assert!(bench.add_as(wrong_kind).await.unwrap_err().to_string().contains("no such family"));
}

#[tokio::test]
async fn a_name_is_given_once_also_when_two_ask_for_it_at_the_same_time() {
    let bench = Bench::new();
    let source = bench.write("a/words.txt", "good words").parent().unwrap().to_owned();
    let (first, second) = tokio::join!(bench.add(&source), bench.add(&source));
    let errors: Vec<ModelError> = [first, second].into_iter().filter_map(Result::err).collect();
    assert!(matches!(errors.as_slice(), [ModelError::AlreadyThere { .. }]), "{errors:?}");
    assert_eq!(bench.left(), ["a"]);
    bench.catalogue.remove(&"a".parse().unwrap()).unwrap();
    assert!(bench.left().is_empty());
    let error = bench.catalogue.remove(&"a".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_changed_file_is_found_by_its_size_and_its_sum() {
    let bench = Bench::new();
    let source = bench.write("a/words.txt", "good words").parent().unwrap().to_owned();
    let model = bench.add(&source).await.unwrap();
    let name = &model.manifest.name;
    bench.catalogue.verify(name, quiet()).await.unwrap();
    fs::write(model.folder.join("words.txt"), "good worms").unwrap();
    let error = bench.catalogue.verify(name, quiet()).await.unwrap_err().to_string();
    assert!(error.contains("`words.txt` is not what it was"), "{error}");
    fs::write(model.folder.join("words.txt"), "good").unwrap();
    let listed = bench.catalogue.list().unwrap();
    assert!(listed[0].model.as_ref().unwrap_err().contains("`words.txt` is missing or was changed"));
    assert!(bench.catalogue.get(name).is_err() && bench.catalogue.usable(Kind::Translation).unwrap().is_empty());
    bench.catalogue.remove(name).unwrap();
}

fn tar(entries: &[(&str, &[u8], tar::EntryType)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content, sort) in entries {
        let mut header = tar::Header::new_ustar();
        // Written as it is: the builder itself would refuse some of these.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*sort);
        header.set_size(content.len() as u64);
        if sort.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn archives_of_every_form_are_unpacked_to_the_model_in_them() {
    let bench = Bench::new();
    let file = tar::EntryType::Regular;
    let entries: [(&str, &[u8]); 2] = [("top/license.md", b"free"), ("top/model/words.txt", b"good words")];
    let tarred = tar(&entries.map(|(name, content)| (name, content, file)));
    for (name, archive) in [("one.tar", tarred.clone()), ("two.tgz", gzip(&tarred)), ("three.zip", zip(&entries))] {
        let path = bench.write(name, archive);
        let model = bench.add(&path).await.unwrap();
        assert_eq!(fs::read_to_string(model.folder.join("words.txt")).unwrap(), "good words", "{name}");
    }
    assert_eq!(bench.left(), ["one", "three", "two"]);
}

#[tokio::test]
async fn hostile_archives_are_refused_and_leave_nothing() {
    let bench = Bench::new();
    let file = tar::EntryType::Regular;
    let good: (&str, &[u8], _) = ("words.txt", b"good words", file);
    let zeros = vec![0_u8; 80 << 20];
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("up.tar", tar(&[good, ("../../../escaped.txt", b"x", file)]), "leads out"),
        ("root.tar", tar(&[good, ("/tmp/escaped.txt", b"x", file)]), "leads out"),
        ("link.tar", tar(&[good, ("link", b"", tar::EntryType::Symlink)]), "is a link"),
        ("twice.tar", tar(&[good, good]), "is there twice"),
        ("bomb.tar.gz", gzip(&tar(&[good, ("zeros", &zeros, file)])), "unpacks to more than"),
        ("bomb.zip", zip(&[("words.txt", b"good words"), ("zeros", &zeros)]), "unpacks to more than"),
        ("cut.tar.gz", gzip(&tar(&[good]))[..60].to_vec(), "cannot be unpacked"),
    ];
    for (name, archive, said) in cases {
        let path = bench.write(name, archive);
        let error = bench.add(&path).await.unwrap_err();
        assert!(error.to_string().contains(said) && error.kind() == ErrorKind::Invalid, "{name}: {error}");
        assert!(bench.left().is_empty(), "{name}: {:?}", bench.left());
    }
    assert!(!bench.folder.path().join("escaped.txt").exists() && !Path::new("/tmp/escaped.txt").exists());
    let small = bench.catalogue.clone().limited_to(5);
    let addition = Addition {
        source: bench.write("a.zip", zip(&[("words.txt", b"good words")])).to_str().unwrap().to_owned(),
        ..Addition::default()
    };
    let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
    assert!(small.add(addition, &client, quiet()).await.unwrap_err().to_string().contains("more than 5 bytes"));
}

#[tokio::test]
async fn an_address_is_downloaded_checked_by_its_sum_and_leaves_no_download() {
    let bench = Bench::new();
    let server = MockServer::start().await;
    let archive = zip(&[("words.txt", b"good words")]);
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(archive.clone()))
        .mount(&server)
        .await;
    let client = HttpClient::new(AddressPolicy::AllowLoopbackForTests { port: server.address().port() }).unwrap();
    let addition = |sha256: &str| Addition {
        source: format!("{}/models/small.zip?token=secret", server.uri()),
        sha256: Some(sha256.to_owned()),
        ..Addition::default()
    };
    let wrong = bench.catalogue.add(addition("00"), &client, quiet()).await.unwrap_err();
    let ModelError::WrongSum { found, .. } = wrong else { panic!("{wrong}") };
    let phases = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&phases);
    let watch: Watch = Arc::new(move |progress: Progress| seen.lock().unwrap().push(progress.phase));
    let model = bench.catalogue.add(addition(&found), &client, watch).await.unwrap();
    assert_eq!(model.manifest.name.as_str(), "small");
    assert!(!model.manifest.source.contains("secret"), "{}", model.manifest.source);
    let mut phases = phases.lock().unwrap().clone();
    phases.dedup();
    assert_eq!(phases, [Phase::Downloading, Phase::Unpacking, Phase::Checking, Phase::Loading]);
    let downloads = fs::read_dir(bench.folder.path().join("data/models/.downloads")).unwrap().count();
    assert_eq!(downloads, 0);
}

#[tokio::test]
async fn an_address_inside_of_the_network_is_not_asked() {
    let addition = Addition { source: "http://127.0.0.1:9/model.zip".to_owned(), ..Addition::default() };
    let error = Bench::new().add_as(addition).await.unwrap_err();
    assert!(error.to_string().contains("not a public address"), "{error}");
}
