//! Units of measure and currencies.

/// A sign and its words.
#[derive(Debug)]
pub(in super::super) struct Unit {
    pub(in super::super) sign: &'static str,
    /// After exactly one.
    pub(in super::super) one: &'static str,
    pub(in super::super) many: &'static str,
}

/// One word for any number.
const fn same(sign: &'static str, word: &'static str) -> Unit {
    Unit { sign, one: word, many: word }
}

const fn unit(sign: &'static str, one: &'static str, many: &'static str) -> Unit {
    Unit { sign, one, many }
}

pub(super) const ENGLISH: &[Unit] = &[
    unit("km/h", "kilometer per hour", "kilometers per hour"),
    unit("m/s", "meter per second", "meters per second"),
    unit("mph", "mile per hour", "miles per hour"),
    unit("km", "kilometer", "kilometers"),
    unit("m", "meter", "meters"),
    unit("cm", "centimeter", "centimeters"),
    unit("mm", "millimeter", "millimeters"),
    unit("km²", "square kilometer", "square kilometers"),
    unit("m²", "square meter", "square meters"),
    unit("m³", "cubic meter", "cubic meters"),
    unit("kg", "kilogram", "kilograms"),
    unit("g", "gram", "grams"),
    unit("mg", "milligram", "milligrams"),
    unit("l", "liter", "liters"),
    unit("L", "liter", "liters"),
    unit("ml", "milliliter", "milliliters"),
    unit("mi", "mile", "miles"),
    unit("ft", "foot", "feet"),
    unit("lb", "pound", "pounds"),
    unit("lbs", "pound", "pounds"),
    unit("oz", "ounce", "ounces"),
    unit("°C", "degree Celsius", "degrees Celsius"),
    unit("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    unit("°", "degree", "degrees"),
    unit("h", "hour", "hours"),
    unit("hrs", "hour", "hours"),
    unit("min", "minute", "minutes"),
    unit("ms", "millisecond", "milliseconds"),
    unit("kB", "kilobyte", "kilobytes"),
    unit("KB", "kilobyte", "kilobytes"),
    unit("MB", "megabyte", "megabytes"),
    unit("GB", "gigabyte", "gigabytes"),
    unit("TB", "terabyte", "terabytes"),
    same("Hz", "hertz"),
    same("kHz", "kilohertz"),
    same("MHz", "megahertz"),
    same("GHz", "gigahertz"),
    unit("W", "watt", "watts"),
    unit("kW", "kilowatt", "kilowatts"),
    unit("kWh", "kilowatt hour", "kilowatt hours"),
];

pub(super) const SPANISH: &[Unit] = &[
    unit("km/h", "kilómetro por hora", "kilómetros por hora"),
    unit("m/s", "metro por segundo", "metros por segundo"),
    unit("km", "kilómetro", "kilómetros"),
    unit("m", "metro", "metros"),
    unit("cm", "centímetro", "centímetros"),
    unit("mm", "milímetro", "milímetros"),
    unit("km²", "kilómetro cuadrado", "kilómetros cuadrados"),
    unit("m²", "metro cuadrado", "metros cuadrados"),
    unit("kg", "kilo", "kilos"),
    unit("g", "gramo", "gramos"),
    unit("mg", "miligramo", "miligramos"),
    unit("l", "litro", "litros"),
    unit("ml", "mililitro", "mililitros"),
    unit("°C", "grado Celsius", "grados Celsius"),
    unit("°F", "grado Fahrenheit", "grados Fahrenheit"),
    unit("°", "grado", "grados"),
    unit("h", "hora", "horas"),
    unit("min", "minuto", "minutos"),
    unit("MB", "megabyte", "megabytes"),
    unit("GB", "gigabyte", "gigabytes"),
    unit("kW", "kilovatio", "kilovatios"),
    unit("kWh", "kilovatio hora", "kilovatios hora"),
];

pub(super) const FRENCH: &[Unit] = &[
    unit("km/h", "kilomètre heure", "kilomètres heure"),
    unit("m/s", "mètre par seconde", "mètres par seconde"),
    unit("km", "kilomètre", "kilomètres"),
    unit("m", "mètre", "mètres"),
    unit("cm", "centimètre", "centimètres"),
    unit("mm", "millimètre", "millimètres"),
    unit("km²", "kilomètre carré", "kilomètres carrés"),
    unit("m²", "mètre carré", "mètres carrés"),
    unit("kg", "kilo", "kilos"),
    unit("g", "gramme", "grammes"),
    unit("mg", "milligramme", "milligrammes"),
    unit("l", "litre", "litres"),
    unit("ml", "millilitre", "millilitres"),
    unit("°C", "degré Celsius", "degrés Celsius"),
    unit("°F", "degré Fahrenheit", "degrés Fahrenheit"),
    unit("°", "degré", "degrés"),
    unit("h", "heure", "heures"),
    unit("min", "minute", "minutes"),
    unit("Mo", "mégaoctet", "mégaoctets"),
    unit("Go", "gigaoctet", "gigaoctets"),
    unit("kW", "kilowatt", "kilowatts"),
    unit("kWh", "kilowattheure", "kilowattheures"),
];

pub(super) const GERMAN: &[Unit] = &[
    same("km/h", "Kilometer pro Stunde"),
    same("m/s", "Meter pro Sekunde"),
    same("km", "Kilometer"),
    same("m", "Meter"),
    same("cm", "Zentimeter"),
    same("mm", "Millimeter"),
    same("km²", "Quadratkilometer"),
    same("m²", "Quadratmeter"),
    same("kg", "Kilogramm"),
    same("g", "Gramm"),
    same("mg", "Milligramm"),
    same("l", "Liter"),
    same("ml", "Milliliter"),
    same("°C", "Grad Celsius"),
    same("°F", "Grad Fahrenheit"),
    same("°", "Grad"),
    unit("h", "Stunde", "Stunden"),
    unit("min", "Minute", "Minuten"),
    same("MB", "Megabyte"),
    same("GB", "Gigabyte"),
    same("kW", "Kilowatt"),
    unit("kWh", "Kilowattstunde", "Kilowattstunden"),
];

pub(super) const ITALIAN: &[Unit] = &[
    unit("km/h", "chilometro all'ora", "chilometri all'ora"),
    unit("m/s", "metro al secondo", "metri al secondo"),
    unit("km", "chilometro", "chilometri"),
    unit("m", "metro", "metri"),
    unit("cm", "centimetro", "centimetri"),
    unit("mm", "millimetro", "millimetri"),
    unit("km²", "chilometro quadrato", "chilometri quadrati"),
    unit("m²", "metro quadrato", "metri quadrati"),
    unit("kg", "chilo", "chili"),
    unit("g", "grammo", "grammi"),
    unit("mg", "milligrammo", "milligrammi"),
    unit("l", "litro", "litri"),
    unit("ml", "millilitro", "millilitri"),
    unit("°C", "grado Celsius", "gradi Celsius"),
    unit("°F", "grado Fahrenheit", "gradi Fahrenheit"),
    unit("°", "grado", "gradi"),
    unit("h", "ora", "ore"),
    unit("min", "minuto", "minuti"),
    same("MB", "megabyte"),
    same("GB", "gigabyte"),
    same("kW", "chilowatt"),
    same("kWh", "chilowattora"),
];

pub(super) const PORTUGUESE: &[Unit] = &[
    unit("km/h", "quilômetro por hora", "quilômetros por hora"),
    unit("m/s", "metro por segundo", "metros por segundo"),
    unit("km", "quilômetro", "quilômetros"),
    unit("m", "metro", "metros"),
    unit("cm", "centímetro", "centímetros"),
    unit("mm", "milímetro", "milímetros"),
    unit("km²", "quilômetro quadrado", "quilômetros quadrados"),
    unit("m²", "metro quadrado", "metros quadrados"),
    unit("kg", "quilo", "quilos"),
    unit("g", "grama", "gramas"),
    unit("mg", "miligrama", "miligramas"),
    unit("l", "litro", "litros"),
    unit("ml", "mililitro", "mililitros"),
    unit("°C", "grau Celsius", "graus Celsius"),
    unit("°F", "grau Fahrenheit", "graus Fahrenheit"),
    unit("°", "grau", "graus"),
    unit("h", "hora", "horas"),
    unit("min", "minuto", "minutos"),
    unit("MB", "megabyte", "megabytes"),
    unit("GB", "gigabyte", "gigabytes"),
    unit("kW", "quilowatt", "quilowatts"),
    unit("kWh", "quilowatt-hora", "quilowatts-hora"),
];

pub(super) const CHINESE: &[Unit] = &[
    same("km/h", "公里每小时"),
    same("km", "公里"),
    same("m", "米"),
    same("cm", "厘米"),
    same("mm", "毫米"),
    same("kg", "公斤"),
    same("g", "克"),
    same("ml", "毫升"),
    same("°C", "摄氏度"),
    same("℃", "摄氏度"),
    same("°", "度"),
];

pub(super) const JAPANESE: &[Unit] = &[
    same("km/h", "キロメートル毎時"),
    same("km", "キロメートル"),
    same("m", "メートル"),
    same("cm", "センチメートル"),
    same("mm", "ミリメートル"),
    same("kg", "キログラム"),
    same("g", "グラム"),
    same("ml", "ミリリットル"),
    same("°C", "ど"),
    same("℃", "ど"),
    same("°", "ど"),
];

pub(super) const ARABIC: &[Unit] = &[
    same("km/h", "كيلومتر في الساعة"),
    same("km", "كيلومتر"),
    same("كم", "كيلومتر"),
    same("m", "متر"),
    same("cm", "سنتيمتر"),
    same("kg", "كيلوغرام"),
    same("كغ", "كيلوغرام"),
    same("g", "غرام"),
    same("°C", "درجة مئوية"),
    same("°", "درجة"),
];

pub(super) const HEBREW: &[Unit] = &[
    same("km/h", "קילומטר לשעה"),
    same("קמ\"ש", "קילומטר לשעה"),
    same("km", "קילומטר"),
    same("ק\"מ", "קילומטר"),
    same("m", "מטר"),
    same("cm", "סנטימטר"),
    same("kg", "קילוגרם"),
    same("ק\"ג", "קילוגרם"),
    same("g", "גרם"),
    same("°C", "מעלות צלזיוס"),
    same("°", "מעלות"),
];

pub(super) const HINDI: &[Unit] = &[
    same("km/h", "किलोमीटर प्रति घंटा"),
    same("km", "किलोमीटर"),
    same("m", "मीटर"),
    same("cm", "सेंटीमीटर"),
    same("kg", "किलोग्राम"),
    same("g", "ग्राम"),
    same("°C", "डिग्री सेल्सियस"),
    same("°", "डिग्री"),
];

pub(super) const THAI: &[Unit] = &[
    same("km/h", "กิโลเมตรต่อชั่วโมง"),
    same("km", "กิโลเมตร"),
    same("m", "เมตร"),
    same("cm", "เซนติเมตร"),
    same("kg", "กิโลกรัม"),
    same("g", "กรัม"),
    same("°C", "องศาเซลเซียส"),
    same("°", "องศา"),
];

/// Longer signs first: `US$` before `$`.
pub(super) mod currencies {
    use super::{Unit, same, unit};

    pub(in super::super) const ENGLISH: &[Unit] = &[
        unit("US$", "US dollar", "US dollars"),
        unit("R$", "real", "reais"),
        unit("$", "dollar", "dollars"),
        unit("€", "euro", "euros"),
        unit("£", "pound", "pounds"),
        same("¥", "yen"),
        unit("₹", "rupee", "rupees"),
        unit("₪", "shekel", "shekels"),
        same("฿", "baht"),
    ];
    pub(in super::super) const SPANISH: &[Unit] = &[
        unit("US$", "dólar", "dólares"),
        unit("R$", "real", "reales"),
        unit("$", "dólar", "dólares"),
        unit("€", "euro", "euros"),
        unit("£", "libra", "libras"),
        unit("¥", "yen", "yenes"),
    ];
    pub(in super::super) const FRENCH: &[Unit] = &[
        unit("$", "dollar", "dollars"),
        unit("€", "euro", "euros"),
        unit("£", "livre", "livres"),
        unit("¥", "yen", "yens"),
    ];
    pub(in super::super) const GERMAN: &[Unit] =
        &[same("$", "Dollar"), same("€", "Euro"), same("£", "Pfund"), same("¥", "Yen")];
    pub(in super::super) const ITALIAN: &[Unit] =
        &[unit("$", "dollaro", "dollari"), same("€", "euro"), unit("£", "sterlina", "sterline"), same("¥", "yen")];
    pub(in super::super) const PORTUGUESE: &[Unit] = &[
        unit("US$", "dólar", "dólares"),
        unit("R$", "real", "reais"),
        unit("$", "dólar", "dólares"),
        unit("€", "euro", "euros"),
        unit("£", "libra", "libras"),
        unit("¥", "iene", "ienes"),
    ];
    pub(in super::super) const CHINESE: &[Unit] =
        &[same("$", "美元"), same("€", "欧元"), same("£", "英镑"), same("¥", "元"), same("￥", "元")];
    pub(in super::super) const JAPANESE: &[Unit] =
        &[same("$", "ドル"), same("€", "ユーロ"), same("£", "ポンド"), same("¥", "えん"), same("￥", "えん")];
    pub(in super::super) const ARABIC: &[Unit] = &[same("$", "دولار"), same("€", "يورو"), same("£", "جنيه")];
    pub(in super::super) const HEBREW: &[Unit] = &[same("$", "דולר"), same("€", "אירו"), same("₪", "שקלים")];
    pub(in super::super) const HINDI: &[Unit] = &[same("$", "डॉलर"), same("€", "यूरो"), same("₹", "रुपये")];
    pub(in super::super) const THAI: &[Unit] = &[same("$", "ดอลลาร์"), same("€", "ยูโร"), same("฿", "บาท")];
}
