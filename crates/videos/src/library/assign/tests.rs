use media::Size;
use proptest::prelude::*;

use super::*;
use crate::library::Facts;

fn clip(name: &str, seconds: f64) -> Asset {
    Asset {
        path: format!("{name}.mp4").into(),
        kind: AssetKind::Clip,
        name: name.replace(['-', '_'], " "),
        folders: String::new(),
        tags: String::new(),
        facts: Some(Facts { size: Size::new(1080, 1920), duration_ms: (seconds * 1000.0) as u64 }),
    }
}

fn scene(words: &str, seconds: &[f64]) -> SceneNeed {
    SceneNeed {
        keywords: words.split_whitespace().map(str::to_owned).collect(),
        beats_ms: seconds.iter().map(|s| (s * 1000.0) as u64).collect(),
        given: None,
    }
}

fn choose(scenes: &[SceneNeed], assets: &[Asset]) -> Vec<Vec<Part>> {
    assign(scenes, assets, Plan { lang: &Lang::english(), ratio: 9.0 / 16.0, order: Order::Sequential, seed: 0 })
}

fn shown(parts: &[Vec<Part>]) -> Vec<Vec<Option<usize>>> {
    parts.iter().map(|parts| parts.iter().map(Part::asset).collect()).collect()
}

#[test]
fn words_decide_before_order() {
    let assets = [clip("harbour", 8.0), clip("river_delta", 8.0), clip("salt-crystals", 8.0)];
    let scenes = [scene("crystal salt", &[4.0]), scene("rivers", &[4.0]), scene("nothing", &[4.0])];
    assert_eq!(shown(&choose(&scenes, &assets)), [[Some(2)], [Some(1)], [Some(0)]]);
}

#[test]
fn tags_weigh_more_than_folders() {
    let mut tagged = clip("a", 8.0);
    tagged.tags = "whale".to_owned();
    let mut filed = clip("b", 8.0);
    filed.folders = "whale".to_owned();
    assert_eq!(shown(&choose(&[scene("whales", &[3.0])], &[filed, tagged])), [[Some(1)]]);
}

#[test]
fn unmatched_footage_comes_in_order_and_then_cards() {
    let assets = [clip("a", 5.0), clip("b", 5.0)];
    let scenes = [scene("x", &[4.0]), scene("y", &[4.0]), scene("z", &[4.0])];
    assert_eq!(shown(&choose(&scenes, &assets)), [[Some(0)], [Some(1)], [None]]);
}

#[test]
fn a_match_comes_again_with_another_part() {
    let assets = [clip("whale", 20.0), clip("b", 5.0)];
    let scenes = [scene("whale", &[4.0]), scene("x", &[4.0]), scene("y", &[4.0]), scene("whale", &[4.0])];
    let parts = choose(&scenes, &assets);
    let Part::Clip { asset: 0, start_ms: first, .. } = parts[0][0] else { panic!("{parts:?}") };
    let Part::Clip { asset: 0, start_ms: second, .. } = parts[3][0] else { panic!("{parts:?}") };
    assert!(second >= first + 4000, "{first} and {second} overlap");
}

#[test]
fn a_short_clip_is_followed_at_the_end_of_a_sentence() {
    let assets = [clip("whale", 5.0), clip("b", 9.0)];
    let parts = choose(&[scene("whale", &[4.0, 4.0])], &assets);
    assert_eq!(shown(&parts), [[Some(0), Some(1)]]);
    assert_eq!(parts[0][0].duration_ms(), 4000);
}

#[test]
fn a_clip_that_is_a_little_short_is_slowed_unseen() {
    let parts = choose(&[scene("whale", &[5.0])], &[clip("whale", 4.6)]);
    let [Part::Clip { speed, duration_ms: 5000, .. }] = parts[0][..] else { panic!("{parts:?}") };
    assert!((speed - 0.92).abs() < 1e-9);
}

#[test]
fn portrait_footage_is_preferred_in_a_portrait_video() {
    let mut wide = clip("sea-1", 8.0);
    wide.facts = Some(Facts { size: Size::new(1920, 1080), duration_ms: 8000 });
    assert_eq!(shown(&choose(&[scene("sea", &[4.0])], &[wide, clip("sea-2", 8.0)])), [[Some(1)]]);
}

#[test]
fn what_the_script_shows_itself_is_not_chosen_elsewhere() {
    let given = SceneNeed { given: Some("whale.mp4".into()), ..scene("", &[4.0]) };
    let parts = choose(&[given, scene("whale", &[4.0])], &[clip("whale", 30.0), clip("b", 9.0)]);
    assert_eq!(shown(&parts), [vec![], vec![Some(1)]]);
}

#[test]
fn a_word_the_stemmer_does_not_know_is_matched_by_its_likeness() {
    let hindi: Lang = "hi".parse().unwrap();
    let assets = [clip("पहाड़", 8.0), clip("नदियाँ", 8.0)];
    let plan = Plan { lang: &hindi, ratio: 1.0, order: Order::Sequential, seed: 0 };
    assert_eq!(shown(&assign(&[scene("नदियों", &[4.0])], &assets, plan)), [[Some(1)]]);
}

#[test]
fn random_order_follows_the_seed() {
    let assets: Vec<Asset> = (0..12).map(|n| clip(&format!("clip{n}"), 9.0)).collect();
    let scenes: Vec<SceneNeed> = (0..6).map(|_| scene("x", &[4.0])).collect();
    let with = |seed| assign(&scenes, &assets, Plan { lang: &Lang::english(), ratio: 1.0, order: Order::Random, seed });
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn ten_thousand_assets_are_no_trouble() {
    let assets: Vec<Asset> =
        (0..10_000).map(|n| clip(&format!("word{} sea", char::from(b'a' + (n % 26) as u8)), 9.0)).collect();
    let scenes: Vec<SceneNeed> = (0..300).map(|_| scene("sea wave worda", &[4.0])).collect();
    assert!(choose(&scenes, &assets).iter().all(|parts| parts.len() == 1 && parts[0].asset().is_some()));
}

#[test]
fn a_day_of_scenes_with_little_footage_is_no_trouble() {
    let assets: Vec<Asset> = (0..300).map(|n| clip(&format!("sea {n}"), 40.0)).collect();
    let scenes: Vec<SceneNeed> = (0..3000).map(|_| scene("sea", &[4.0])).collect();
    let shown = choose(&scenes, &assets).iter().filter(|parts| parts[0].asset().is_some()).count();
    assert!(shown > 2000, "{shown}");
}

fn some_assets() -> impl Strategy<Value = Vec<Asset>> {
    let one = ("[abc]", 0.3f64..15.0, prop::bool::weighted(0.2), prop::bool::weighted(0.1)).prop_map(
        |(name, seconds, still, unknown)| {
            let mut asset = clip(&name.repeat(4), seconds);
            if still {
                asset.kind = AssetKind::Still;
            }
            if unknown {
                asset.facts = None;
            }
            asset
        },
    );
    prop::collection::vec(one, 0..8).prop_map(|mut assets| {
        for (at, asset) in assets.iter_mut().enumerate() {
            asset.path = format!("{at}.mp4").into();
        }
        assets
    })
}

fn some_scenes() -> impl Strategy<Value = Vec<SceneNeed>> {
    prop::collection::vec(("[abcd]", prop::collection::vec(0.5f64..6.0, 1..4)), 0..16)
        .prop_map(|scenes| scenes.into_iter().map(|(word, beats)| scene(&word.repeat(4), &beats)).collect())
}

proptest! {
    #[test]
    fn every_scene_is_covered_exactly(scenes in some_scenes(), assets in some_assets()) {
        let parts = choose(&scenes, &assets);
        prop_assert_eq!(parts.len(), scenes.len());
        for (scene, parts) in scenes.iter().zip(&parts) {
            let shown: u64 = parts.iter().map(Part::duration_ms).sum();
            prop_assert_eq!(shown, scene.beats_ms.iter().sum::<u64>());
        }
    }

    #[test]
    fn nothing_comes_twice_before_all_came(scenes in some_scenes(), assets in some_assets()) {
        let usable = |asset: &Asset| asset.kind == AssetKind::Still || asset.facts.is_none_or(|f| f.duration_ms >= 1200);
        let usable_count = assets.iter().filter(|asset| usable(asset)).count();
        let mut seen = Vec::new();
        for asset in choose(&scenes, &assets).iter().flatten().filter_map(Part::asset) {
            if seen.contains(&asset) {
                prop_assert_eq!(seen.len(), usable_count, "asset {} came again", asset);
            } else {
                seen.push(asset);
            }
        }
    }

    #[test]
    fn no_clip_runs_past_its_end_or_shows_a_part_twice(scenes in some_scenes(), assets in some_assets()) {
        let mut taken: Vec<(usize, u64, u64)> = Vec::new();
        for part in choose(&scenes, &assets).into_iter().flatten() {
            let Part::Clip { asset, start_ms, duration_ms, speed } = part else { continue };
            let Some(facts) = assets[asset].facts else { continue };
            let end_ms = start_ms + (duration_ms as f64 * speed).round() as u64;
            prop_assert!(end_ms <= facts.duration_ms, "{} ends at {}", asset, end_ms);
            prop_assert!((0.85..=1.0).contains(&speed));
            for (other, start, end) in &taken {
                prop_assert!(*other != asset || end_ms <= *start || start_ms >= *end);
            }
            taken.push((asset, start_ms, end_ms));
        }
    }

    #[test]
    fn the_same_input_gives_the_same_choice(scenes in some_scenes(), assets in some_assets()) {
        prop_assert_eq!(choose(&scenes, &assets), choose(&scenes, &assets));
    }
}
