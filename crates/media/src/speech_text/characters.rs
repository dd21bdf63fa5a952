//! Kinds of characters that reading and captions tell apart.

/// Emoji and other pictures, with what joins and colours them: shown, not said.
pub(super) fn is_symbol(character: char) -> bool {
    matches!(character,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{2300}'..='\u{23ff}'
        | '\u{25a0}'..='\u{25ff}' | '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{257f}' | '\u{20e3}' | '\u{fe0f}'
        | '\u{e0020}'..='\u{e007f}' | '©' | '®' | '™' | '•' | '·' | '※')
}

/// Quotes, brackets and inverted marks that open.
pub(super) fn is_opener(character: char) -> bool {
    matches!(
        character,
        '"' | '\''
            | '“'
            | '‘'
            | '„'
            | '‚'
            | '«'
            | '‹'
            | '»'
            | '›'
            | '('
            | '['
            | '{'
            | '<'
            | '¿'
            | '¡'
            | '「'
            | '『'
            | '（'
            | '【'
            | '《'
            | '〈'
            | '［'
            | '*'
            | '_'
            | '`'
            | '~'
            | '#'
            | '>'
            | '|'
            | '\\'
    )
}

/// Stops, commas, and quotes and brackets that close.
pub(super) fn is_closer(character: char) -> bool {
    is_pause(character)
        || matches!(
            character,
            '"' | '\''
                | '”'
                | '’'
                | '“'
                | '‘'
                | '»'
                | '›'
                | '«'
                | '‹'
                | ')'
                | ']'
                | '}'
                | '>'
                | '」'
                | '』'
                | '）'
                | '】'
                | '》'
                | '〉'
                | '］'
                | '*'
                | '_'
                | '`'
                | '~'
                | '|'
                | '\\'
        )
}

/// A mark that an engine reads as a pause or a tone.
pub(super) fn is_pause(character: char) -> bool {
    matches!(
        character,
        '.' | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '。'
            | '、'
            | '，'
            | '！'
            | '？'
            | '；'
            | '：'
            | '．'
            | '،'
            | '؛'
            | '؟'
            | '।'
            | '॥'
            | '—'
            | '–'
            | '‽'
    )
}

/// Scripts written without spaces between words.
pub(super) fn is_unspaced(character: char) -> bool {
    is_east_asian(character)
        || matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

/// Han, kana and what goes with them; Korean is spaced.
pub(super) fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether an engine can say it: letters, digits and the marks that complete letters.
pub(super) fn is_said(character: char) -> bool {
    !is_symbol(character) && (character.is_alphanumeric() || is_mark(character))
}

/// Combining marks: accents, vowel signs, joiners within words.
pub(super) fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{900}'..='\u{903}'
        | '\u{93a}'..='\u{94f}' | '\u{951}'..='\u{957}' | '\u{962}' | '\u{963}' | '\u{981}'..='\u{983}'
        | '\u{9bc}'..='\u{9cd}' | '\u{a01}'..='\u{a03}' | '\u{a3c}'..='\u{a4d}' | '\u{a70}'..='\u{a71}'
        | '\u{a81}'..='\u{a83}' | '\u{abc}'..='\u{acd}' | '\u{b01}'..='\u{b03}' | '\u{b3c}'..='\u{b57}'
        | '\u{b82}' | '\u{bbe}'..='\u{bcd}' | '\u{c00}'..='\u{c04}' | '\u{c3c}'..='\u{c56}' | '\u{c81}'..='\u{c83}'
        | '\u{cbc}'..='\u{cd6}' | '\u{d00}'..='\u{d03}' | '\u{d3b}'..='\u{d57}' | '\u{d81}'..='\u{df3}'
        | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ebc}'
        | '\u{ec8}'..='\u{ece}' | '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}' | '\u{200c}' | '\u{200d}'
        | '\u{3099}' | '\u{309a}' | '\u{30fc}')
}
