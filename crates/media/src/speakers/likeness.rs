//! Utterances grouped by embeddings of their voices, as a model gave them: the two groups whose members are most alike on
//! average are joined, again and again, until no two are alike enough (average linkage of cosines).

/// Utterances compared each with each; the longest of more, and the others are added one by one.
const MOST_COMPARED: usize = 400;
/// No sound has more speakers.
const MOST_SPEAKERS: usize = 64;
/// Only utterances as long as this found a speaker, where there are any: shorter ones tell too little.
const FOUNDING_MS: u64 = 1_500;

/// An utterance and what is known of its voice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) duration_ms: u64,
    /// Of length 1; none where the utterance was too short to tell.
    pub(super) voice: Option<&'a [f32]>,
}

/// The mean voice of some utterances.
#[derive(Debug, Clone)]
struct Group {
    /// Over all members, and not of length 1: how long it is tells how much they agree.
    mean: Vec<f32>,
    members: Vec<usize>,
}

impl Group {
    /// The mean cosine between a member of the one and a member of the other.
    fn likeness(&self, other: &Self) -> f32 {
        self.mean.iter().zip(&other.mean).map(|(a, b)| a * b).sum()
    }

    fn join(&mut self, other: Self) {
        let (own, new) = (self.members.len() as f32, other.members.len() as f32);
        for (mean, added) in self.mean.iter_mut().zip(&other.mean) {
            *mean = (*mean * own + added * new) / (own + new);
        }
        self.members.extend(other.members);
    }
}

/// A number for each utterance, equal for equal voices. Two voices are one from the likeness `same_voice` on.
pub(super) fn cluster(heard: &[Heard<'_>], same_voice: f32) -> Vec<usize> {
    let voiced = |index: &usize| heard[*index].voice.is_some();
    let mut by_length: Vec<usize> = (0..heard.len()).filter(voiced).collect();
    by_length.sort_by_key(|&index| (std::cmp::Reverse(heard[index].duration_ms), index));
    let long = by_length.partition_point(|&index| heard[index].duration_ms >= FOUNDING_MS);
    let founding = if long == 0 { by_length.len() } else { long };
    let (founding, short) = by_length.split_at(founding);
    let (compared, others) = founding.split_at(founding.len().min(MOST_COMPARED));
    let group = |&index: &usize| Group { mean: heard[index].voice.unwrap_or_default().to_vec(), members: vec![index] };
    let mut groups = agglomerate(compared.iter().map(group).collect(), same_voice);
    for one in others.iter().map(group) {
        match nearest_to(&groups, &one) {
            Some((index, likeness)) if likeness >= same_voice || groups.len() >= MOST_SPEAKERS => {
                groups[index].join(one);
            }
            _ => groups.push(one),
        }
    }
    let places: Vec<_> =
        short.iter().map(group).filter_map(|one| Some((one.members[0], nearest_to(&groups, &one)?.0))).collect();
    for (member, index) in places {
        groups[index].members.push(member);
    }
    number(heard.len(), &groups)
}

/// The numbers of all utterances; those without a voice get that of the one before them, or after.
fn number(count: usize, groups: &[Group]) -> Vec<usize> {
    let mut numbers: Vec<Option<usize>> = vec![None; count];
    for (number, group) in groups.iter().enumerate() {
        for &member in &group.members {
            numbers[member] = Some(number);
        }
    }
    let mut last = numbers.iter().find_map(|number| *number).unwrap_or(0);
    let take = |number: Option<usize>| {
        last = number.unwrap_or(last);
        last
    };
    numbers.into_iter().map(take).collect()
}

/// Joins the most alike two until none are of one voice.
fn agglomerate(mut groups: Vec<Group>, same_voice: f32) -> Vec<Group> {
    let mut likenesses: Vec<Vec<f32>> =
        (0..groups.len()).map(|a| (0..a).map(|b| groups[a].likeness(&groups[b])).collect()).collect();
    while let Some((a, b, likeness)) = most_alike(&likenesses) {
        if likeness < same_voice && groups.len() <= MOST_SPEAKERS {
            break;
        }
        // `a` is the later one, so that taking it out moves only what lies after `b`.
        let other = groups.remove(a);
        groups[b].join(other);
        likenesses.remove(a);
        for row in &mut likenesses[a..] {
            row.remove(a);
        }
        for c in (0..groups.len()).filter(|&c| c != b) {
            likenesses[b.max(c)][b.min(c)] = groups[b].likeness(&groups[c]);
        }
    }
    groups
}

fn most_alike(likenesses: &[Vec<f32>]) -> Option<(usize, usize, f32)> {
    let pairs = likenesses
        .iter()
        .enumerate()
        .flat_map(|(a, row)| row.iter().enumerate().map(move |(b, &likeness)| (a, b, likeness)));
    // The earlier pair of two that are equally alike.
    pairs.min_by(|x, y| y.2.total_cmp(&x.2))
}

fn nearest_to(groups: &[Group], one: &Group) -> Option<(usize, f32)> {
    let likenesses = groups.iter().enumerate().map(|(index, group)| (index, group.likeness(one)));
    likenesses.min_by(|a, b| b.1.total_cmp(&a.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice near one of three directions.
    fn voice(speaker: usize, seed: usize) -> Vec<f32> {
        let noise = |k: usize| ((seed * 31 + k * 17 + 7) % 23) as f32 / 23.0 - 0.5;
        let raw: Vec<f32> = (0..12).map(|k| noise(k) * 0.4 + if k % 3 == speaker { 1.0 } else { 0.0 }).collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.into_iter().map(|x| x / length).collect()
    }

    fn heard<'a>(voices: &'a [Vec<f32>], duration_ms: impl Fn(usize) -> u64) -> Vec<Heard<'a>> {
        let one = |(index, voice): (usize, &'a Vec<f32>)| Heard { duration_ms: duration_ms(index), voice: Some(voice) };
        voices.iter().enumerate().map(one).collect()
    }

    #[test]
    fn voices_that_are_alike_are_one_speaker() {
        for count in [9, 1_500] {
            let voices: Vec<_> = (0..count).map(|n| voice(n % 3, n)).collect();
            let numbers = cluster(&heard(&voices, |n| 1_600 + n as u64), 0.5);
            assert!(numbers.iter().enumerate().all(|(n, &number)| number == numbers[n % 3]), "{numbers:?}");
            assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
        }
    }

    #[test]
    fn a_short_utterance_founds_no_speaker_unless_all_are_short() {
        let voices = [voice(0, 1), voice(1, 2), voice(0, 3), voice(2, 4)];
        let lengths = [4_000, 3_000, 2_000, 700];
        let numbers = cluster(&heard(&voices, |n| lengths[n]), 0.5);
        assert!(numbers[0] == numbers[2] && numbers[0] != numbers[1]);
        assert!(numbers[3] == numbers[0] || numbers[3] == numbers[1], "{numbers:?}");
        let numbers = cluster(&heard(&voices, |_| 700), 0.5);
        assert!(numbers[3] != numbers[0] && numbers[3] != numbers[1], "{numbers:?}");
    }

    #[test]
    fn what_cannot_be_told_is_said_by_whoever_spoke_before() {
        let voices = [voice(0, 1), voice(1, 2)];
        let unknown = Heard { duration_ms: 200, voice: None };
        let mut all = heard(&voices, |_| 2_000);
        all.insert(1, unknown);
        all.insert(0, unknown);
        let numbers = cluster(&all, 0.5);
        assert_eq!((numbers[0], numbers[2]), (numbers[1], numbers[1]));
        assert_ne!(numbers[1], numbers[3]);
        assert_eq!(cluster(&[unknown, unknown], 0.5), [0, 0]);
        assert_eq!(cluster(&[], 0.5), Vec::<usize>::new());
    }

    #[test]
    fn there_are_never_more_speakers_than_any_sound_has() {
        let voices: Vec<Vec<f32>> =
            (0..100).map(|n| (0..100).map(|k| if k == n { 1.0 } else { 0.0 }).collect()).collect();
        let mut numbers = cluster(&heard(&voices, |_| 2_000), 0.9);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), MOST_SPEAKERS);
    }
}
