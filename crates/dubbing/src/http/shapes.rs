//! What is sent and shown of dubs.

use std::collections::BTreeMap;

use kernel::Lang;
use pipeline::job::FileWanted;
use platform::{
    documents::{Document, Kept as _},
    jobs::Priority,
    server::{Problem, time::rfc3339},
    tasks::http::{TaskBody, priorities},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    desk::{Asked, Draft, DraftSource, DubState, DubSummary, Made},
    document::{Dub, Settings},
    edit::{Edit, EditError},
    report::Report,
};

/// The most changes of one request.
const MAX_EDITS: usize = 1000;

/// A dub that is wanted: exactly one of `source` and `url`, and the languages.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDub)]
pub(super) struct NewDubBody {
    /// The file that is dubbed.
    source: Option<FileWanted>,
    /// The address of a video or sound in the web.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// The languages to dub into, the first of them the default.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 20, example = json!(["es", "fr"]))]
    to: Vec<Lang>,
    /// The language of the source; absent where it is to be found out.
    #[schema(value_type = Option<String>, example = "en")]
    from: Option<Lang>,
    /// Which sound of the source, counted from 1; absent for the one that players choose.
    #[schema(minimum = 1)]
    track: Option<u16>,
    /// A file of SubRip or WebVTT with what is said, instead of listening.
    transcript: Option<FileWanted>,
    /// Settings by the names of the document, such as `{"duck_db": 12, "keep": ["Pressroom"], "burn": "bold"}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    settings: Settings,
    /// One file with a sound and subtitles of each language, instead of a file for each.
    #[serde(default)]
    one_file: bool,
    /// Whether the original sound is kept behind the new ones.
    #[serde(default)]
    keep_original: bool,
    /// Whether only subtitles are made.
    #[serde(default)]
    only_subtitles: bool,
    /// How urgent it is.
    #[serde(default)]
    #[schema(schema_with = priorities)]
    priority: Priority,
}

/// A transcript that is wanted: exactly one of `source` and `url`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTranscript)]
pub(super) struct NewTranscriptBody {
    /// The file that is listened to.
    source: Option<FileWanted>,
    /// The address of a video or sound in the web.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// The language of the source; absent where it is to be found out.
    #[schema(value_type = Option<String>, example = "en")]
    from: Option<Lang>,
    /// Which sound of the source, counted from 1; absent for the one that players choose.
    #[schema(minimum = 1)]
    track: Option<u16>,
    /// How urgent it is.
    #[serde(default)]
    #[schema(schema_with = priorities)]
    priority: Priority,
}

/// Changes to a dub, made in the order of these fields, all or none. Lines are named by their ids, as `12`, or in one language
/// as `es:12`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = DubEdits)]
pub(super) struct EditsBody {
    /// Fields to set, such as `{"12.translation": "Hola", "es:12.voice": "es+f3", "12.dubbed": "false"}`.
    set: BTreeMap<String, String>,
    /// Fields that are decided anew, such as `12.translation`.
    unset: Vec<String>,
    /// Lines to delete.
    delete: Vec<u32>,
    /// Lines to split, as `12@3400` at a time in milliseconds, or `12@word:3` before a word.
    split: Vec<String>,
    /// Lines to join with the next.
    merge: Vec<u32>,
    /// Lines to add, such as `1000-2500=Hello`.
    create: Vec<String>,
}

/// A dub as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Dub)]
pub(super) struct DubBody {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// What is dubbed: the name of a file, or an address that was not fetched yet.
    source: String,
    /// The languages dubbed into.
    #[schema(value_type = Vec<String>)]
    to: Vec<Lang>,
    /// What is made.
    #[schema(value_type = Object)]
    output: Made,
    /// Every line with its translations, once it was made; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    document: Option<Dub>,
    /// When it was first asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The tasks that made it or make it, the newest first.
    #[schema(example = "/api/v1/tasks?subject=dubs/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55")]
    tasks_url: String,
}

/// A dub, and the task that makes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AskedDub)]
pub(super) struct AskedBody {
    /// The dub.
    dub: DubBody,
    /// The task.
    task: TaskBody,
}

/// How good a dub is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DubReport)]
pub(super) struct ReportBody {
    /// A report for each language: figures beside what they should reach, and the lines that need a person.
    #[schema(value_type = Vec<Object>)]
    pub(super) languages: Vec<Report>,
}

fn source(file: Option<FileWanted>, url: Option<String>) -> Result<DraftSource, Problem> {
    match (file, url) {
        (Some(file), None) => Ok(DraftSource::File(file)),
        (None, Some(url)) => Ok(DraftSource::Url(url)),
        _ => Err(Problem::field("/source", "exactly one of `source` and `url` is needed")),
    }
}

fn track(number: Option<u16>) -> Result<Option<u16>, Problem> {
    if number == Some(0) { Err(Problem::field("/track", "sounds are counted from 1")) } else { Ok(number) }
}

impl NewDubBody {
    pub(super) fn take(self) -> Result<(Draft, Priority), Problem> {
        let Self { one_file, keep_original, only_subtitles, .. } = self;
        let draft = Draft {
            source: source(self.source, self.url)?,
            targets: self.to,
            lang: self.from,
            track: track(self.track)?,
            transcript: self.transcript,
            settings: self.settings,
            output: Made { one_file, keep_original, only_subtitles },
        };
        Ok((draft, self.priority))
    }
}

impl NewTranscriptBody {
    pub(super) fn take(self) -> Result<(Draft, Priority), Problem> {
        let draft = Draft {
            source: source(self.source, self.url)?,
            targets: Vec::new(),
            lang: self.from,
            track: track(self.track)?,
            transcript: None,
            settings: Settings::default(),
            output: Made::default(),
        };
        Ok((draft, self.priority))
    }
}

impl EditsBody {
    pub(super) fn take(self) -> Result<Vec<Edit>, Problem> {
        let set = self.set.iter().map(|(address, value)| Edit::parse_set(&format!("{address}={value}")));
        let unset = self.unset.iter().map(|address| Edit::parse_unset(address));
        let delete = self.delete.into_iter().map(|id| Ok(Edit::Delete { id }));
        let split = self.split.iter().map(|place| Edit::parse_split(place));
        let merge = self.merge.into_iter().map(|id| Ok(Edit::Merge { id }));
        let create = self.create.iter().map(|line| Edit::parse_create(line));
        let all = set.chain(unset).chain(delete).chain(split).chain(merge).chain(create).take(MAX_EDITS + 1);
        let edits: Vec<Edit> =
            all.collect::<Result<_, EditError>>().map_err(|error| Problem::of(kernel::ErrorKind::Invalid, &error))?;
        match edits.len() {
            0 => Err(Problem::field("", "there is nothing to change")),
            count if count > MAX_EDITS => {
                Err(Problem::field("", format!("at most {MAX_EDITS} changes are made at once")))
            }
            _ => Ok(edits),
        }
    }
}

impl DubBody {
    pub(super) fn of(dub: &Document<DubState>) -> Self {
        Self { document: dub.value.document.clone(), ..Self::without_lines(dub) }
    }

    fn without_lines(dub: &Document<DubState>) -> Self {
        Self::shown(dub, dub.value.summary())
    }

    /// The dub in a list.
    pub(super) fn in_list(dub: &Document<DubSummary>) -> Self {
        Self::shown(dub, dub.value.clone())
    }

    fn shown<T>(dub: &Document<T>, summary: DubSummary) -> Self {
        Self {
            id: dub.id.to_string(),
            source: summary.source,
            to: summary.targets,
            output: summary.output,
            document: None,
            created_at: rfc3339(dub.created_at_ms),
            updated_at: rfc3339(dub.updated_at_ms),
            tasks_url: format!("/api/v1/tasks?subject=dubs/{}", dub.id),
        }
    }
}

impl AskedBody {
    pub(super) fn of(asked: &Asked) -> Self {
        Self { dub: DubBody::without_lines(&asked.dub), task: TaskBody::whole(&asked.task) }
    }
}
