//! Spoken sentences in ten languages and one that mixes scripts.

use media::speech_text::{TimedSentence, TimedWord};

/// A language, and words as the voice reports them; `|` parts words that have no space between them.
pub(crate) const SENTENCES: [(&str, &str); 11] = [
    (
        "en",
        "When the first light reaches the harbour, the fishermen are already on their way, and the gulls jump up quickly behind them.",
    ),
    (
        "es",
        "Cuando la primera luz llega al puerto, los pescadores ya están en camino, y las gaviotas vuelan detrás de ellos. ¿Qué más?",
    ),
    (
        "de",
        "Wenn das erste Licht den Hafen erreicht, sind die Fischer der Donaudampfschifffahrtsgesellschaft längst unterwegs, größtenteils übermüdet.",
    ),
    (
        "fr",
        "Quand la première lumière touche le port, les pêcheurs sont déjà en route, et les goélands volent derrière eux !",
    ),
    ("zh", "当|第一|缕|阳光|照|进|港口|时，|渔民们|已经|出发|了，|海鸥|在|他们|身后|飞翔，|一共|有|25|只。"),
    (
        "ja",
        "朝の|最初の|光が|港に|届く|とき、|漁師|たちは|すでに|出発|して|おり、|カモメが|その|後ろを|飛んで|います。",
    ),
    ("ar", "عندما يصل أول ضوء إلى الميناء، يكون الصيادون قد انطلقوا بالفعل، وتطير النوارس خلفهم في عام 2024."),
    ("he", "כאשר האור הראשון מגיע לנמל, הדייגים כבר בדרך, והשחפים עפים אחריהם במהירות רבה מאוד."),
    ("hi", "जब पहली रोशनी बंदरगाह पर पहुँचती है, तो मछुआरे निकल चुके होते हैं, और पक्षी उनके पीछे उड़ते हैं।"),
    ("th", "เมื่อ|แสง|แรก|มา|ถึง|ท่าเรือ| ชาว|ประมง|ก็|ออก|เดินทาง|แล้ว| และ|นก|นางนวล|ก็|บิน|ตาม|หลัง|พวกเขา|ไป"),
    (
        "en",
        "In Tokyo (東京) they say こんにちは, in Delhi नमस्ते, in Cairo مرحبا, in Bangkok สวัสดี 🚀 and everywhere: 50 % off!",
    ),
];

/// A sentence with a third of a second for each word.
pub(crate) fn sentence(lang: &str, text: &str, start_ms: u64) -> TimedSentence {
    let mut words = Vec::new();
    let mut at = start_ms;
    for spaced in text.split(' ') {
        for (index, part) in spaced.split('|').filter(|part| !part.is_empty()).enumerate() {
            words.push(TimedWord { text: part.to_owned(), space_before: index == 0, start_ms: at, end_ms: at + 300 });
            at += 330;
        }
    }
    if let Some(first) = words.first_mut() {
        first.space_before = false;
    }
    TimedSentence { words, lang: lang.parse().unwrap(), start_ms, end_ms: at }
}
