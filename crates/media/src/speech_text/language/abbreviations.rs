//! Abbreviations and what they are short for.

/// An abbreviation of a language.
#[derive(Debug)]
pub(super) struct Abbreviation {
    /// In lower case, without its last stop: `z.b`.
    pub(super) written: &'static str,
    pub(super) said: &'static str,
    pub(super) when: When,
    /// Whether what it belongs to follows, so that no sentence ends with it.
    pub(super) opens: bool,
}

/// Where an abbreviation means this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum When {
    Always,
    /// Only with a number after it: `No. 5`.
    BeforeNumber,
    /// Only with a name after it: `St. Louis`.
    BeforeName,
}

const fn always(written: &'static str, said: &'static str) -> Abbreviation {
    Abbreviation { written, said, when: When::Always, opens: false }
}

const fn opens(written: &'static str, said: &'static str) -> Abbreviation {
    Abbreviation { written, said, when: When::Always, opens: true }
}

const fn number(written: &'static str, said: &'static str) -> Abbreviation {
    Abbreviation { written, said, when: When::BeforeNumber, opens: false }
}

const fn name(written: &'static str, said: &'static str) -> Abbreviation {
    Abbreviation { written, said, when: When::BeforeName, opens: true }
}

pub(super) const ENGLISH: &[Abbreviation] = &[
    opens("dr", "Doctor"),
    opens("mr", "Mister"),
    opens("mrs", "Missis"),
    opens("ms", "Miz"),
    opens("prof", "Professor"),
    opens("gen", "General"),
    opens("sen", "Senator"),
    opens("rev", "Reverend"),
    opens("capt", "Captain"),
    opens("mt", "Mount"),
    name("st", "Saint"),
    always("st", "Street"),
    always("ave", "Avenue"),
    always("jr", "Junior"),
    always("sr", "Senior"),
    opens("e.g", "for example"),
    opens("i.e", "that is"),
    always("etc", "et cetera"),
    opens("vs", "versus"),
    opens("approx", "approximately"),
    number("no", "number"),
    number("nos", "numbers"),
    number("fig", "figure"),
    number("vol", "volume"),
    number("p", "page"),
    number("pp", "pages"),
    number("ch", "chapter"),
    always("dept", "department"),
    always("govt", "government"),
    always("est", "established"),
    always("inc", "Incorporated"),
    always("ltd", "Limited"),
    always("corp", "Corporation"),
    always("a.m", "A M"),
    always("p.m", "P M"),
    always("min", "minutes"),
    always("max", "maximum"),
    always("w/o", "without"),
    always("w/", "with"),
];

pub(super) const SPANISH: &[Abbreviation] = &[
    opens("dr", "doctor"),
    opens("dra", "doctora"),
    opens("sr", "señor"),
    opens("sra", "señora"),
    opens("srta", "señorita"),
    opens("sres", "señores"),
    opens("prof", "profesor"),
    opens("d", "don"),
    opens("dña", "doña"),
    opens("av", "avenida"),
    opens("avda", "avenida"),
    always("ud", "usted"),
    always("uds", "ustedes"),
    opens("p.ej", "por ejemplo"),
    opens("p. ej", "por ejemplo"),
    always("etc", "etcétera"),
    opens("vs", "versus"),
    opens("aprox", "aproximadamente"),
    number("núm", "número"),
    number("n.º", "número"),
    number("nº", "número"),
    number("no", "número"),
    number("pág", "página"),
    number("págs", "páginas"),
    number("art", "artículo"),
    always("ee.uu", "Estados Unidos"),
    always("ee. uu", "Estados Unidos"),
    always("a.c", "antes de Cristo"),
    always("d.c", "después de Cristo"),
    always("a. c", "antes de Cristo"),
    always("d. c", "después de Cristo"),
    always("min", "minutos"),
    always("máx", "máximo"),
    always("tel", "teléfono"),
];

pub(super) const FRENCH: &[Abbreviation] = &[
    name("m", "monsieur"),
    opens("mm", "messieurs"),
    opens("mme", "madame"),
    opens("mmes", "mesdames"),
    opens("mlle", "mademoiselle"),
    opens("dr", "docteur"),
    opens("pr", "professeur"),
    name("st", "saint"),
    name("ste", "sainte"),
    opens("av", "avenue"),
    opens("bd", "boulevard"),
    opens("p.ex", "par exemple"),
    opens("p. ex", "par exemple"),
    opens("c.-à-d", "c'est-à-dire"),
    opens("c-à-d", "c'est-à-dire"),
    always("etc", "et cetera"),
    opens("vs", "contre"),
    opens("env", "environ"),
    always("n°", "numéro"),
    number("no", "numéro"),
    number("p", "page"),
    number("art", "article"),
    always("min", "minutes"),
    always("max", "maximum"),
    always("tél", "téléphone"),
    always("av. j.-c", "avant Jésus-Christ"),
];

pub(super) const GERMAN: &[Abbreviation] = &[
    opens("dr", "Doktor"),
    opens("hr", "Herr"),
    opens("fr", "Frau"),
    opens("prof", "Professor"),
    name("st", "Sankt"),
    opens("z.b", "zum Beispiel"),
    opens("z. b", "zum Beispiel"),
    opens("d.h", "das heißt"),
    opens("d. h", "das heißt"),
    opens("u.a", "unter anderem"),
    opens("u. a", "unter anderem"),
    opens("i.d.r", "in der Regel"),
    always("usw", "und so weiter"),
    always("u.s.w", "und so weiter"),
    always("etc", "et cetera"),
    opens("bzw", "beziehungsweise"),
    opens("ca", "circa"),
    opens("nr", "Nummer"),
    opens("vs", "gegen"),
    opens("vgl", "vergleiche"),
    opens("inkl", "inklusive"),
    opens("exkl", "exklusive"),
    opens("evtl", "eventuell"),
    opens("ggf", "gegebenenfalls"),
    opens("sog", "sogenannte"),
    opens("mind", "mindestens"),
    number("s", "Seite"),
    number("abb", "Abbildung"),
    always("str", "Straße"),
    always("mio", "Millionen"),
    always("mrd", "Milliarden"),
    always("std", "Stunden"),
    always("min", "Minuten"),
    always("max", "maximal"),
    always("tel", "Telefon"),
    always("v.chr", "vor Christus"),
    always("n.chr", "nach Christus"),
    always("v. chr", "vor Christus"),
    always("n. chr", "nach Christus"),
];

pub(super) const ITALIAN: &[Abbreviation] = &[
    opens("dr", "dottor"),
    opens("dott", "dottor"),
    opens("dott.ssa", "dottoressa"),
    opens("sig", "signor"),
    opens("sig.ra", "signora"),
    opens("sig.na", "signorina"),
    opens("prof", "professor"),
    opens("prof.ssa", "professoressa"),
    opens("avv", "avvocato"),
    opens("ing", "ingegner"),
    opens("p.es", "per esempio"),
    opens("p. es", "per esempio"),
    opens("es", "esempio"),
    always("ecc", "eccetera"),
    always("etc", "eccetera"),
    opens("vs", "contro"),
    opens("ca", "circa"),
    number("n", "numero"),
    number("nr", "numero"),
    number("pag", "pagina"),
    number("art", "articolo"),
    always("a.c", "avanti Cristo"),
    always("d.c", "dopo Cristo"),
    always("min", "minuti"),
    always("max", "massimo"),
    always("tel", "telefono"),
];

pub(super) const PORTUGUESE: &[Abbreviation] = &[
    opens("dr", "doutor"),
    opens("dra", "doutora"),
    opens("sr", "senhor"),
    opens("sra", "senhora"),
    opens("srta", "senhorita"),
    opens("prof", "professor"),
    opens("profa", "professora"),
    opens("d", "dona"),
    opens("av", "avenida"),
    always("vc", "você"),
    opens("p.ex", "por exemplo"),
    opens("p. ex", "por exemplo"),
    always("etc", "et cetera"),
    opens("vs", "versus"),
    opens("aprox", "aproximadamente"),
    number("n.º", "número"),
    number("nº", "número"),
    number("núm", "número"),
    number("pág", "página"),
    number("art", "artigo"),
    always("a.c", "antes de Cristo"),
    always("d.c", "depois de Cristo"),
    always("eua", "Estados Unidos"),
    always("min", "minutos"),
    always("máx", "máximo"),
    always("tel", "telefone"),
];
