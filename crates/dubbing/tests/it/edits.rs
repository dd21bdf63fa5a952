//! Edits of a finished dub: what follows from them is made again, and nothing else.

use dubbing::edit::Edit;

use crate::studio::{Studio, lang, request};

async fn dubbed() -> Studio {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    studio.dub(&request(&source, Some(&transcript), &["es"])).await.unwrap();
    studio
}

async fn edit(studio: &Studio, edits: &[&str]) -> Vec<u32> {
    let edits: Vec<Edit> = edits.iter().map(|edit| Edit::parse_set(edit).unwrap()).collect();
    dubbing::edit_document(&studio.path("talk.dub.json"), &edits).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_line_is_all_that_is_made_again() {
    let studio = dubbed().await;
    let before = studio.document();
    let (spoken, translated) = (studio.voices.calls(), studio.translator.texts());
    assert_eq!(edit(&studio, &["2.translation=Contamos 21 aves."]).await, [2]);
    studio.resume().await.unwrap();
    assert_eq!(studio.voices.calls(), spoken + 1);
    assert_eq!(studio.translator.texts(), translated);
    let after = studio.document();
    for (index, (a, b)) in before.utterances.iter().zip(&after.utterances).enumerate() {
        assert_eq!(a == b, index != 1, "{a:#?} {b:#?}");
    }
    assert_eq!(after.utterances[1].lines[&lang("es")].translation.as_deref(), Some("Contamos 21 aves."));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_edited_is_nothing_made() {
    let studio = dubbed().await;
    let (document, sound) = (studio.document(), std::fs::read(studio.path("talk.es.mp4")).unwrap());
    let (spoken, translated) = (studio.voices.calls(), studio.translator.texts());
    studio.resume().await.unwrap();
    assert_eq!((studio.voices.calls(), studio.translator.texts()), (spoken, translated));
    assert_eq!(studio.document(), document);
    assert_eq!(std::fs::read(studio.path("talk.es.mp4")).unwrap(), sound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_text_is_translated_again_and_a_persons_translation_is_not() {
    let studio = dubbed().await;
    edit(&studio, &["1.text=The lake is low.", "5.translation=Buenas noches.", "5.text=Sleep well."]).await;
    studio.resume().await.unwrap();
    let dub = studio.document();
    let said = |index: usize| dub.utterances[index].lines[&lang("es")].translation.clone().unwrap();
    assert_eq!((said(0), said(4)), ("ehT ekal si wol.".to_owned(), "Buenas noches.".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_not_to_be_dubbed_keeps_its_voice() {
    let studio = dubbed().await;
    edit(&studio, &["3.dubbed=false"]).await;
    let finished = studio.resume().await.unwrap();
    assert_eq!(finished.reports[0].dubbed, 4);
    assert_eq!(studio.document().utterances[2].lines[&lang("es")].placed, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_language_is_added_to_the_same_document() {
    let studio = dubbed().await;
    edit(&studio, &["1.translation=El río."]).await;
    let finished = studio.dub(&request(&studio.path("talk.mp4"), None, &["fr"])).await.unwrap();
    assert_eq!(finished.outputs, [studio.path("talk.es.mp4"), studio.path("talk.fr.mp4")]);
    let dub = studio.document();
    assert_eq!(dub.targets, [lang("es"), lang("fr")]);
    assert_eq!(dub.utterances[0].lines[&lang("es")].translation.as_deref(), Some("El río."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changed_is_not_dubbed_by_an_old_document() {
    let studio = dubbed().await;
    studio.generate("-f lavfi -i anoisesrc=d=12:c=pink:r=48000 -c:a aac", "talk.mp4").await;
    let message = studio.resume().await.unwrap_err().to_string();
    assert!(message.contains("talk.mp4` is not the file this dub was made of"), "{message}");
}

/// How often captions were burnt in: nothing else leaves such files in the data folder.
fn burnt(studio: &Studio) -> usize {
    let blobs = std::fs::read_dir(studio.path("data/blobs")).unwrap();
    let files = blobs.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "nut")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_are_burnt_in_when_the_document_says_so_and_only_when_they_change() {
    let studio = dubbed().await;
    let copied = studio.packets(&studio.path("talk.es.mp4")).await;
    edit(&studio, &["settings.burn=boxed"]).await;
    studio.resume().await.unwrap();
    let shown = studio.packets(&studio.path("talk.es.mp4")).await;
    assert_ne!(shown, copied);
    assert_eq!(studio.fact(&studio.path("talk.es.mp4"), "stream=codec_type").await, "video\naudio");
    studio.resume().await.unwrap();
    edit(&studio, &["settings.duck_db=6"]).await;
    studio.resume().await.unwrap();
    assert_eq!(studio.packets(&studio.path("talk.es.mp4")).await, shown, "only the sound changed");
    assert_eq!(burnt(&studio), 1);
    edit(&studio, &["2.translation=Contamos 21 aves."]).await;
    studio.resume().await.unwrap();
    assert_eq!(burnt(&studio), 2);
    dubbing::edit_document(&studio.path("talk.dub.json"), &[Edit::parse_unset("settings.burn").unwrap()])
        .await
        .unwrap();
    studio.resume().await.unwrap();
    assert_eq!(studio.packets(&studio.path("talk.es.mp4")).await, copied);
}
