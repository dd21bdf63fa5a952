//! What each setting means, once: the reference in `docs/configuration.md` is written from this table.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in the settings file, with a dot after its table.
    pub key: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What it is when nobody sets it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Every setting, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        takes: "a folder",
        default: "the platform's data folder, `~/.local/share/pressroom` on Linux",
        meaning: "Where kept results and unfinished work lie. Needs room for the results of `cache.max_bytes` and for \
                  the video being made.",
    },
    Setting {
        key: "jobs",
        takes: "1 to 512",
        default: "as many as there are processors",
        meaning: "How many segments of a video are made at once. Fewer where memory does not allow it.",
    },
    Setting {
        key: "memory_bytes",
        takes: "bytes, at least 268435456",
        default: "half of what the machine or its control group allows",
        meaning: "Memory that work may use. What needs more than is free waits.",
    },
    Setting {
        key: "cache.max_bytes",
        takes: "bytes",
        default: "20000000000",
        meaning: "Results that stay after a run; the least recently used go first.",
    },
    Setting {
        key: "cache.max_age_days",
        takes: "1 to 36500",
        default: "30",
        meaning: "Days that a result stays after its last use.",
    },
    Setting {
        key: "programs.ffmpeg",
        takes: "a file",
        default: "`ffmpeg` of the search path",
        meaning: "The FFmpeg to use. `ffprobe` is looked for beside it.",
    },
    Setting {
        key: "programs.speech",
        takes: "a file",
        default: "`pressroom-speech` beside this program, then of the search path",
        meaning: "The program that speaks.",
    },
    Setting {
        key: "programs.onnxruntime",
        takes: "a file",
        default: "`libonnxruntime.so` beside this program, then where libraries usually are",
        meaning: "The library of ONNX Runtime, 1.17 or later, which models that separate voices and tell speakers apart \
                  need.",
    },
    Setting {
        key: "log.format",
        takes: "`human` or `json`",
        default: "`human`",
        meaning: "Lines for people, or one JSON object a line, on standard error.",
    },
    Setting {
        key: "server.listen",
        takes: "an address with a port",
        default: "`127.0.0.1:8080`",
        meaning: "Where `pressroom serve` listens.",
    },
    Setting {
        key: "server.public_url",
        takes: "a web address",
        default: "`http://localhost` with the port",
        meaning: "How users reach the server; `https://…` where a proxy in front encrypts. Cookies and links \
                  are made for it.",
    },
    Setting {
        key: "server.trusted_proxies",
        takes: "networks, such as `10.0.0.0/8`",
        default: "none",
        meaning: "Networks of proxies whose `X-Forwarded-For` is believed.",
    },
    Setting {
        key: "server.cors_origins",
        takes: "origins, such as `https://app.example.org`",
        default: "none",
        meaning: "Other origins whose pages may use the API with cookies.",
    },
    Setting {
        key: "server.metrics_from",
        takes: "networks",
        default: "`127.0.0.1/32,::1/128`",
        meaning: "Networks that may read `/metrics`.",
    },
    Setting {
        key: "server.max_connections",
        takes: "1 to 1000000",
        default: "4096",
        meaning: "Connections at a time; more wait.",
    },
    Setting {
        key: "server.max_body_bytes",
        takes: "bytes, at least 1024",
        default: "1048576",
        meaning: "Bytes of a body, where a route does not say otherwise.",
    },
    Setting {
        key: "server.request_timeout_s",
        takes: "1 to 3600",
        default: "30",
        meaning: "Seconds that a request may take, where its route does not say otherwise.",
    },
    Setting {
        key: "server.idle_timeout_s",
        takes: "1 to 3600",
        default: "10",
        meaning: "Seconds that a client may take to send the head of a request, and to pause within a body.",
    },
    Setting {
        key: "server.shutdown_timeout_s",
        takes: "1 to 3600",
        default: "25",
        meaning: "Seconds that requests have to end once the server is told to.",
    },
    Setting {
        key: "server.user_units_per_minute",
        takes: "a number, at least 1",
        default: "600",
        meaning: "Units of requests that a user may spend in a minute; a plain request costs one.",
    },
    Setting {
        key: "server.address_units_per_minute",
        takes: "a number, at least 1",
        default: "1200",
        meaning: "Units of requests that an address may spend in a minute.",
    },
];

impl Setting {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("PRESSROOM_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }
}

/// The reference of all settings, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Written from crates/platform/src/config/reference.rs by its test; UPDATE_DOCS=1 writes it anew. -->\n\n\
         Nothing needs to be set. A setting is taken from the command line, else from the environment, else from the\n\
         settings file, else it has its default. The file is `pressroom.toml` in the platform's folder for settings\n\
         (`~/.config/pressroom` on Linux), or the one that `PRESSROOM_CONFIG` names. Unknown keys are refused, and all\n\
         faults are named at once. `PRESSROOM_LOG` sets the levels of the log, such as `info,pipeline=debug`.\n\n\
         | setting | variable | takes | default | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let Setting { key, takes, default, meaning } = setting;
        text.extend([format!("| `{key}` | `{}` | {takes} | {default} | {meaning} |\n", setting.variable())]);
    }
    text.push_str(
        "\n```toml\n# pressroom.toml\njobs = 2\n\n[cache]\nmax_bytes = 5_000_000_000\nmax_age_days = 14\n\n\
         [log]\nformat = \"json\"\n```\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use figment::value::Value;

    use super::*;
    use crate::config::Settings;

    fn keys(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Dict(_, entries) => {
                for (name, value) in entries {
                    keys(&format!("{prefix}.{name}"), value, found);
                }
            }
            _ => drop(found.insert(prefix.trim_start_matches('.').to_owned())),
        }
    }

    #[test]
    fn every_setting_is_in_the_table() {
        let mut found = BTreeSet::new();
        keys("", &Value::serialize(Settings::default()).unwrap(), &mut found);
        assert_eq!(found, SETTINGS.iter().map(|setting| setting.key.to_owned()).collect());
    }

    #[test]
    fn the_reference_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, reference()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == reference(), "docs/configuration.md is old; UPDATE_DOCS=1 cargo test -p platform writes it");
    }
}
